"""Episodes in memory and the segment batches that train on them.

A batch is a few contiguous segments of frames. Each frame is encoded once; the segment is then
unfolded into overlapping windows of `context` steps, which gives the same gradient as separate
windows at a fraction of the encoder's work. What a batch holds is a pure function of seed and step,
so a resumed run sees the batches that it would have seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hop_core.errors import BagError
from hop_policy.contract import PolicyContract

_DEPTH_LEVELS = 65534  # int16 levels over 0..far: 15 um each at 1 m


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
        meta: anything worth keeping (task, object, success, seed).
    """

    name: str
    proprio: np.ndarray
    vision: np.ndarray
    action: np.ndarray
    group: str = ""
    meta: Mapping[str, object] = field(default_factory=dict)

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
    groups = sorted({e.group or e.name for e in episodes})
    if len(groups) < 2:
        raise BagError(
            f"{len(groups)} usable episode(s) found; at least 2 are needed, one for validation"
        )
    count = min(max(1, round(val_fraction * len(groups))), len(groups) - 1)
    held_out = {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:count]}
    train = [e for e in episodes if (e.group or e.name) not in held_out]
    return train, [e for e in episodes if (e.group or e.name) in held_out]


@dataclass(frozen=True)
class SegmentBatch:
    """S segments of F frames, to be unfolded into W windows each.

    Attributes:
        proprio: (S, F, 23) policy units.
        vision: (S, F, ...) [m].
        action: (S, F, 23) labels, policy units.
        future: (S, F, H, 23) labels `foresight` ticks later (at most the episode's last), less the
            present posture: what an image can tell without knowing where its camera stands.
        valid: (S * W, context) bool, which steps of each window exist; False before an episode's
            start (left padding) and in all of a window that would end outside its episode.
    """

    proprio: Tensor
    vision: Tensor
    action: Tensor
    future: Tensor
    valid: Tensor


@dataclass(frozen=True)
class Segmenting:
    """How windows are cut: `windows` a segment, ends `stride` ticks apart, `context` steps each.

    `foresight` are the ticks ahead whose labels come along.
    """

    context: int
    windows: int
    stride: int
    foresight: tuple[int, ...] = ()

    @property
    def frames(self) -> int:
        """Frames of a segment."""
        return self.context + self.span

    @property
    def span(self) -> int:
        """Ticks from the first window's end to the last's."""
        return (self.windows - 1) * self.stride

    def unfold(self, x: Tensor) -> Tensor:
        """Returns the windows (S * W, context, ...) of segments (S, F, ...)."""
        windows = x.unfold(1, self.context, self.stride).movedim(-1, 2)
        return windows.reshape(-1, *windows.shape[2:])


class EpisodeStore:
    """Episodes laid end to end on one device; depth as int16, far finer than a sensor's noise."""

    def __init__(
        self,
        episodes: Sequence[Episode],
        contract: PolicyContract,
        device: torch.device | str = "cpu",
    ) -> None:
        """Checks and copies the episodes.

        Raises:
            BagError: an episode breaks the contract, or there is none.
        """
        if not episodes:
            raise BagError("no episode to learn from; record some or change the selection")
        for episode in episodes:
            episode.check(contract)
        self.device = torch.device(device)
        self.lengths = np.array([len(e) for e in episodes])
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        self._far_m = contract.depth.far_m if contract.vision == "depth" else None
        self.proprio, self.action = (
            torch.from_numpy(
                np.concatenate([getattr(e, key) for e in episodes]).astype(np.float32)
            ).to(self.device)
            for key in ("proprio", "action")
        )
        self._vision = torch.from_numpy(
            np.concatenate([self._pack(e.vision) for e in episodes])
        ).to(self.device)

    def __len__(self) -> int:
        """Returns the number of ticks of all episodes."""
        return int(self.lengths.sum())

    def vision(self, index: Tensor) -> Tensor:
        """Returns the frames (..., *vision shape) float32 [m] at `index`."""
        frames = self._vision[index].float()
        if self._far_m is None:
            return frames
        return frames.add_(_DEPTH_LEVELS // 2).mul_(self._far_m / _DEPTH_LEVELS)

    def statistics(self, floor: Tensor) -> dict[str, Tensor]:
        """Returns mean and deviation, by the names of the model's whitening buffers.

        Args:
            floor: (23,) least deviation, policy units: what a joint that hardly moves is divided
                by.
        """
        frames = self.vision(
            torch.arange(0, len(self), max(1, len(self) // 2000), device=self.device)
        )
        # Depth less its mean image is what moved; a cloud's points have no fixed place, only axes.
        mean = frames.mean(0) if self._far_m else frames.mean((0, 1))
        std = (frames - mean).square().mean((0, 1, 2) if self._far_m else (0, 1)).sqrt()
        out = {"vision_mean": mean, "vision_std": std.clamp_min(1e-2)}
        for key, values in (("proprio", self.proprio), ("action", self.action)):
            out[f"{key}_mean"] = values.mean(0)
            out[f"{key}_std"] = values.std(0).maximum(floor.to(self.device))
        return out

    def segments(self, episode: np.ndarray, first_end: np.ndarray, cut: Segmenting) -> SegmentBatch:
        """Returns the segments whose first windows end at tick `first_end` (S,) of `episode` (S,).

        Ends may lie outside the episode: their windows come out invalid.
        """
        tick = first_end[:, None] + np.arange(1 - cut.context, cut.span + 1)  # (S, F)
        length = self.lengths[episode][:, None]
        ends = first_end[:, None] + np.arange(cut.windows) * cut.stride
        inside = (ends >= 0) & (ends < length)
        steps = ends[:, :, None] + np.arange(1 - cut.context, 1)
        valid = torch.from_numpy(((steps >= 0) & inside[:, :, None]).reshape(-1, cut.context)).to(
            self.device
        )
        start, tick = self.starts[episode][:, None], np.clip(tick, 0, length - 1)
        ahead = np.minimum(tick[..., None] + np.array(cut.foresight, int), length[..., None] - 1)
        at = torch.from_numpy(start + tick).to(self.device)
        later = self.action[torch.from_numpy(start[..., None] + ahead).to(self.device)]
        future = later - self.proprio[at][..., None, :]
        return SegmentBatch(self.proprio[at], self.vision(at), self.action[at], future, valid)

    def _pack(self, vision: np.ndarray) -> np.ndarray:
        if self._far_m is None:
            return vision.astype(np.float32)
        return (np.rint(vision * (_DEPTH_LEVELS / self._far_m)) - _DEPTH_LEVELS // 2).astype(
            np.int16
        )


class SegmentSampler:
    """Draws the batch of any step; every window of every episode is equally likely."""

    def __init__(self, store: EpisodeStore, cut: Segmenting, segments: int, seed: int) -> None:
        """Keeps the store; `segments` is the number of segments in a batch."""
        self.store, self.cut, self.segments, self.seed = store, cut, segments, seed
        # A segment may hang over both ends of its episode, or the first and last windows would be
        # drawn more rarely.
        self._cumulative = np.cumsum(store.lengths + cut.span)

    def batch(self, step: int) -> SegmentBatch:
        """Returns the batch of `step`."""
        draw = np.random.default_rng((self.seed, step)).integers(
            self._cumulative[-1], size=self.segments
        )
        episode = np.searchsorted(self._cumulative, draw, side="right")
        before = self._cumulative[episode] - (self.store.lengths + self.cut.span)[episode]
        return self.store.segments(episode, draw - before - self.cut.span, self.cut)

    def statistics(self, floor: Tensor) -> dict[str, Tensor]:
        """Returns those of the store; see `EpisodeStore.statistics`."""
        return self.store.statistics(floor)
