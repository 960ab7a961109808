"""Trajectories of stores as columns on the training device.

Postures and labels are kept as 16-bit integers over twice the policy scale: 14 million frames are
1.3 GB in place of 2.6, and no value is off by more than 3.1e-5 policy units (0.2 mrad on the four
joints of the arm that the scale spans with 4 pi, 0.03 mrad on a finger). Poses stay float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch

from hop_core.errors import TrajectoryError
from hop_policy.contract import PolicyContract
from hop_policy.frame_rows import FrameRows, Int16Rows
from hop_policy.frame_store import FrameStore
from hop_policy.observation import JointScaling
from hop_sim.pretrain.depth_images import DepthImages
from hop_sim.pretrain.hidden_objects import Objects, hidden
from hop_sim.pretrain.posed_clouds import PosedClouds
from hop_sim.pretrain.selection import Part
from hop_sim.trajectories.store import TrajectoryStore

SCALE = 2.0
"""Largest joint value, policy units: the hand's home is at -1.46 on a thumb joint."""


class VisionColumn(FrameRows, Protocol):
    """The vision of a store's frames: filled track by track, then read by row number."""

    def fill(self, at: int, part: Part) -> None:
        """Takes the observations of `part` as the frames from `at` on."""


def vision_column(
    contract: PolicyContract,
    frames: int,
    stores: Sequence[TrajectoryStore],
    device: torch.device,
) -> VisionColumn:
    """Returns the empty column of the contract's vision for `frames` frames.

    Raises:
        TrajectoryError: it cannot be had from a store.
    """
    if contract.vision == "depth":
        return DepthImages(frames, stores, contract, device)
    return PosedClouds(frames, stores, device)


def frame_bytes(contract: PolicyContract) -> int:
    """Returns what a frame takes in memory: posture, label, vision."""
    image = contract.vision == "depth"
    return 2 * 2 * len(contract.joint_names) + (2 * contract.depth.size_px**2 if image else 32)


def load_frames(
    parts: Sequence[Part],
    contract: PolicyContract,
    device: torch.device,
    read: Callable[[str], None],
    objects: Objects = "shown",
    seed: int = 0,
) -> FrameStore:
    """Returns the pairs of observation and label of `parts`, each trajectory an episode.

    Args:
        parts: what to load, a track at a time.
        contract: what the policy sees.
        device: where the columns are to be.
        read: called with the name of each track after it was read.
        objects: whether the vision is that of the frames, hidden, or that of other trajectories.
        seed: of the draw of those.

    Raises:
        TrajectoryError: a column is damaged, a joint is far beyond the policy scale, or the vision
            cannot be had.
    """
    count = sum(len(part.pairs()) for part in parts)
    shape = (count, len(contract.joint_names))
    proprio, action = (torch.empty(shape, dtype=torch.int16, device=device) for _ in range(2))
    stores = list({part.store.address: part.store for part in parts}.values())
    vision = vision_column(contract, count, stores, device)
    scaling = JointScaling(contract)
    lengths, at = [], 0
    for part in parts:
        pairs, first = part.pairs(), part.track.first_frame
        rows = slice(at, at + len(pairs))
        for column, path, source in (
            (proprio, "frames/q", pairs.observation),
            (action, "frames/q_target", pairs.label),
        ):
            q = part.store.read(path, part.track.frame_rows)[source - first]
            column[rows] = torch.from_numpy(_packed(scaling.scale(q), part, path))
        vision.fill(at, part)
        lengths.append(np.unique(pairs.trajectory, return_counts=True)[1])
        at = rows.stop
        read(part.track.info.name)
    all_lengths = np.concatenate(lengths)
    groups = np.repeat([part.track.info.group for part in parts], [len(part) for part in parts])
    seen = (
        vision
        if objects == "shown"
        else hidden(objects, vision, contract, all_lengths, groups, seed, device)
    )
    return FrameStore(
        all_lengths,
        Int16Rows(proprio, -SCALE, SCALE),
        seen,
        Int16Rows(action, -SCALE, SCALE),
        contract.vision,
        device,
        whitened_by=vision,
    )


def _packed(scaled: np.ndarray, part: Part, path: str) -> np.ndarray:
    try:
        return Int16Rows.pack(scaled, -SCALE, SCALE)
    except ValueError as error:
        raise TrajectoryError(
            f"{part.store.address}: track '{part.track.info.name}': {path}: policy units {error}; "
            "check the store (hop trajectories check)"
        ) from error
