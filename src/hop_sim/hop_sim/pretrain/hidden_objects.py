"""Controls of pretraining: what is seen is nothing at all, or that of another trajectory.

In depth the robot goes with the object: both are in the same picture.

Postures and labels stay as they are, and so does what the vision is whitened by: a policy that is
finetuned from such a prior looks through an encoder of the same input range as one that saw.

Source: HOP paper, V-C (masked object observations: a prior of hand motions alone).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hop_core.errors import TrajectoryError
from hop_policy.contract import PolicyContract
from hop_policy.frame_rows import FrameRows

Objects = Literal["shown", "masked", "shuffled"]


class MaskedVision:
    """The same picture of nothing for every frame."""

    def __init__(self, contract: PolicyContract, device: torch.device) -> None:
        """Keeps it: depth at its far clip everywhere, or all points at the base's origin."""
        nothing = contract.depth.far_m if contract.vision == "depth" else 0.0
        self._nothing = torch.full(contract.vision_shape, nothing, device=device)

    def __call__(self, index: Tensor) -> Tensor:
        """Returns it for each of `index` (...)."""
        return self._nothing.expand(*index.shape, *self._nothing.shape)


class ForeignVision:
    """The vision of other frames."""

    def __init__(self, vision: FrameRows, rows: np.ndarray, device: torch.device) -> None:
        """Keeps `vision`, and the `rows` (N,) of it that stand for each frame."""
        self._vision = vision
        self._rows = torch.from_numpy(rows.astype(np.int32)).to(device)

    def __call__(self, index: Tensor) -> Tensor:
        """Returns the vision that stands for the frames `index` (...)."""
        return self._vision(self._rows[index].long())


def hidden(
    objects: Literal["masked", "shuffled"],
    vision: FrameRows,
    contract: PolicyContract,
    lengths: np.ndarray,
    groups: np.ndarray,
    seed: int,
    device: torch.device,
) -> FrameRows:
    """Returns what is seen by a control in place of `vision`.

    Args:
        objects: which control.
        vision: of all frames.
        contract: what the policy sees.
        lengths: (M,) frames of each trajectory, which lie end to end.
        groups: (M,) track group of each.
        seed: of the draw of other trajectories.
        device: where the columns are.

    Raises:
        TrajectoryError: see `foreign_rows`.
    """
    if objects == "masked":
        return MaskedVision(contract, device)
    return ForeignVision(vision, foreign_rows(lengths, groups, seed), device)


def foreign_rows(lengths: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """Returns for each frame (N,) the row of a frame of a trajectory of another group.

    Each trajectory is given one other, drawn by `seed`, and goes along with it frame by frame;
    where that one is shorter, its last frame stays. Within a group, none is given twice before all
    others have been.

    Args:
        lengths: (M,) frames of each trajectory, which lie end to end.
        groups: (M,) track group of each.
        seed: of the draw.

    Raises:
        TrajectoryError: all are of one group.
    """
    starts = np.cumsum(lengths) - lengths
    rng = np.random.default_rng(seed)
    given = np.empty(len(lengths), np.int64)
    for group in np.unique(groups):
        own, others = np.flatnonzero(groups == group), np.flatnonzero(groups != group)
        if not len(others):
            raise TrajectoryError(
                f"objects: all {len(own)} trajectories of one side of the split are of the track "
                f"group '{group}', so none can be shown another group's object; raise val_fraction "
                "or use more tracks"
            )
        given[own] = np.resize(rng.permutation(others), len(own))
    tick = np.arange(lengths.sum()) - np.repeat(starts, lengths)
    last = np.repeat(lengths[given] - 1, lengths)
    return np.asarray(np.repeat(starts[given], lengths) + np.minimum(tick, last))
