"""Episodes in memory: what they hold, their split, and how they are laid out to train on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from hop_core.errors import BagError
from hop_policy.cell_statics import CellFrames
from hop_policy.contract import PolicyContract
from hop_policy.frame_rows import FloatRows, FrameRows, Int16Rows
from hop_policy.frame_store import FrameStore


@dataclass(frozen=True)
class Episode:
    """One demonstration or trajectory, a row per tick.

    Attributes:
        name: where it came from, unique.
        proprio: (T, 23) float32 joint positions in policy units.
        vision: (T, 60, 60) float32 depth [m] or (T, 100, 3) float32 points in base_link [m].
        action: (T, 23) float32 label of each tick in policy units: the accepted target that answers
            it.
        group: episodes of one group (a source track, say) never fall on both sides of a split;
            empty is its own.
        refused_ticks: ticks of its recording that are left out: a stream had no fresh sample, or no
            accepted target answers them.
        rates_ok: whether all streams of its recording kept their rates.
        cell: where camera and table stood; None is not known.
        seed: of the twin's scene in its recording; None on a real robot, or where that is not told.
        goes_on: whether its recording does, after a pause: what is held as it ends has not been
            brought anywhere yet.
    """

    name: str
    proprio: np.ndarray
    vision: np.ndarray
    action: np.ndarray
    group: str = ""
    refused_ticks: int = 0
    rates_ok: bool = True
    cell: CellFrames | None = None
    seed: int | None = None
    goes_on: bool = False

    def __len__(self) -> int:
        """Returns the number of ticks."""
        return len(self.proprio)

    def check(self, contract: PolicyContract) -> None:
        """Passes if all arrays have the contract's shapes and finite values.

        Raises:
            BagError: naming the episode and what is wrong with it.
        """
        joints, ticks = len(contract.joint_names), len(self)
        wanted = {
            "proprio": (ticks, joints),
            "action": (ticks, joints),
            "vision": (ticks, *contract.vision_shape),
        }
        for key, shape in wanted.items():
            array = getattr(self, key)
            if array.shape != shape or ticks == 0:
                raise BagError(
                    f"episode {self.name}: {key} must be {shape} with T > 0, got {array.shape}; "
                    f"leave it out"
                )
            if not np.isfinite(array).all():
                raise BagError(
                    f"episode {self.name}: {key} holds NaN or infinity; "
                    f"leave it out or record it again"
                )


def split_episodes(
    episodes: Sequence[Episode], val_fraction: float, seed: int
) -> tuple[list[Episode], list[Episode]]:
    """Returns (training, validation) episodes, split by group; names and seed decide alone.

    Raises:
        BagError: there are fewer than two groups.
    """
    groups = [e.group or e.name for e in episodes]
    held_out = held_out_groups(groups, val_fraction, seed)
    if not held_out:
        raise BagError(
            f"{len(set(groups))} usable episode(s) found; at least 2 are needed, one for validation"
        )
    train = [e for e, group in zip(episodes, groups, strict=True) if group not in held_out]
    return train, [e for e, group in zip(episodes, groups, strict=True) if group in held_out]


def held_out_groups(groups: Sequence[str], val_fraction: float, seed: int) -> set[str]:
    """Returns the groups to validate on, at least one and never all; none if there are not two."""
    names = sorted(set(groups))
    if len(names) < 2:
        return set()
    count = min(max(1, round(val_fraction * len(names))), len(names) - 1)
    return {names[i] for i in np.random.default_rng(seed).permutation(len(names))[:count]}


def drawn(count: int, most: int | None, seed: int) -> np.ndarray:
    """Returns `most` of the numbers below `count`, drawn by `seed`, rising; None is all."""
    if most is None or count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:most])


def store_episodes(
    episodes: Sequence[Episode], contract: PolicyContract, device: torch.device | str = "cpu"
) -> FrameStore:
    """Returns checked copies of the episodes on `device`, laid end to end.

    Depth is kept as int16, far finer than a sensor's noise: 15 um steps at a range of 1 m.

    Raises:
        BagError: an episode breaks the contract, or there is none.
    """
    if not episodes:
        raise BagError("no episode to learn from; record some or change the selection")
    for episode in episodes:
        episode.check(contract)
    proprio, action = (
        FloatRows(
            torch.from_numpy(
                np.concatenate([getattr(e, key) for e in episodes]).astype(np.float32)
            ).to(device)
        )
        for key in ("proprio", "action")
    )
    vision = _vision_rows(episodes, contract, device)
    lengths = np.array([len(e) for e in episodes])
    return FrameStore(lengths, proprio, vision, action, contract.vision, device)


def _vision_rows(
    episodes: Sequence[Episode], contract: PolicyContract, device: torch.device | str
) -> FrameRows:
    if contract.vision != "depth":
        clouds = np.concatenate([e.vision for e in episodes]).astype(np.float32)
        return FloatRows(torch.from_numpy(clouds).to(device))
    far_m = contract.depth.far_m
    try:
        levels = np.concatenate([Int16Rows.pack(e.vision, 0.0, far_m) for e in episodes])
    except ValueError as error:
        raise BagError(f"depth {error}; decode the recording again") from error
    return Int16Rows(torch.from_numpy(levels).to(device), 0.0, far_m)
