"""Frames of many episodes on one device, and the segment batches that are gathered from them.

What a batch holds is a pure function of seed and step, so a resumed run sees the batches that it
would have seen. Windows are gathered by index: there is no Python loop over samples.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from hop_core.errors import ConfigError
from hop_policy.contract import VisionKind
from hop_policy.frame_rows import FrameRows
from hop_policy.segments import WHOLE, SegmentBatch, Segmenting, Share

_STATISTICS_FRAMES = 2000  # of vision; means of joints are over all
_BLOCK = 1 << 16


class FrameStore:
    """Episodes laid end to end; each column is read by row number.

    Attributes:
        lengths: (M,) ticks of each episode.
        starts: (M,) row of each one's first tick.
    """

    def __init__(
        self,
        lengths: np.ndarray,
        proprio: FrameRows,
        vision: FrameRows,
        action: FrameRows,
        kind: VisionKind,
        device: torch.device | str = "cpu",
        whitened_by: FrameRows | None = None,
    ) -> None:
        """Keeps the columns.

        Args:
            lengths: (M,) ticks of each episode, in the order of the rows.
            proprio: (23,) of each tick, policy units.
            vision: (60, 60) depth [m] or (P, 3) points in base_link [m] of each tick.
            action: (23,) label of each tick, policy units.
            kind: which vision it is.
            device: where all columns are.
            whitened_by: the vision that the whitening's statistics are of; None is `vision`.
        """
        self.lengths = np.asarray(lengths, np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        self.proprio, self.vision, self.action = proprio, vision, action
        self.kind, self.device = kind, torch.device(device)
        self._whitened_by = whitened_by or vision

    def __len__(self) -> int:
        """Returns the number of ticks of all episodes."""
        return int(self.lengths.sum())

    def episode(self, number: int) -> Tensor:
        """Returns the rows (T,) of one episode."""
        start = int(self.starts[number])
        return torch.arange(start, start + int(self.lengths[number]), device=self.device)

    def statistics(self, floor: Tensor) -> dict[str, Tensor]:
        """Returns mean and deviation, by the names of the model's whitening buffers.

        Args:
            floor: (23,) least deviation, policy units: what a joint that hardly moves is divided
                by.
        """
        step = max(1, len(self) // _STATISTICS_FRAMES)
        frames = self._whitened_by(torch.arange(0, len(self), step, device=self.device))
        # Depth less its mean image is what moved; a cloud's points have no fixed place, only axes.
        image = self.kind == "depth"
        mean = frames.mean(0) if image else frames.mean((0, 1))
        std = (frames - mean).square().mean((0, 1, 2) if image else (0, 1)).sqrt()
        out = {"vision_mean": mean, "vision_std": std.clamp_min(1e-2)}
        for key, column in (("proprio", self.proprio), ("action", self.action)):
            out[f"{key}_mean"], deviation = self._moments(column)
            out[f"{key}_std"] = deviation.maximum(floor.to(self.device))
        return out

    def segments(
        self, episode: np.ndarray, first_end: np.ndarray, cut: Segmenting, share: Share = WHOLE
    ) -> SegmentBatch:
        """Returns segments whose first windows end at tick `first_end` (S,) of `episode` (S,).

        Ends may lie outside the episode: their windows come out as not inside.

        Args:
            episode: (S,) numbers of episodes.
            first_end: (S,) ticks.
            cut: how windows lie in a segment.
            share: which of the segments to gather.
        """
        length = self.lengths[episode][:, None]
        ends = first_end[:, None] + np.arange(cut.windows) * cut.stride
        inside = (ends >= 0) & (ends < length)
        counted = np.minimum(ends + 1, cut.context)[inside].sum() / share.of

        mine = share.rows(len(episode))
        episode, first_end, ends, length = (x[mine] for x in (episode, first_end, ends, length))
        inside = np.flatnonzero(inside[mine])
        valid = ends.reshape(-1, 1)[inside] + np.arange(1 - cut.context, 1) >= 0
        tick = first_end[:, None] + np.arange(1 - cut.context, cut.span + 1)  # (S, F)
        start, tick = self.starts[episode][:, None], np.clip(tick, 0, length - 1)
        ahead = np.minimum(tick[..., None] + np.array(cut.foresight, int), length[..., None] - 1)
        at, later = self._sent(start + tick), self._sent(start[..., None] + ahead)
        proprio = self.proprio(at)
        return SegmentBatch(
            proprio=proprio,
            vision=self.vision(at),
            action=self.action(at),
            future=self.action(later) - proprio[..., None, :],
            inside=self._sent(inside),
            valid=self._sent(valid),
            padded=not valid.all(),
            counted=self._sent(np.array(counted, np.float32)),
        )

    def _sent(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _moments(self, column: FrameRows) -> tuple[Tensor, Tensor]:
        """Mean and deviation (23,) over all ticks, a block of them at a time."""
        sums = [rows.sum(0) for rows in self._blocks(column)]
        mean = torch.stack(sums).sum(0) / len(self)
        squares = [(rows - mean).square().sum(0) for rows in self._blocks(column)]
        square = torch.stack(squares).sum(0) / max(1, len(self) - 1)
        return mean.float(), square.sqrt().float()

    def _blocks(self, column: FrameRows) -> Iterator[Tensor]:
        for first in range(0, len(self), _BLOCK):
            last = min(first + _BLOCK, len(self))
            yield column(torch.arange(first, last, device=self.device)).double()


class SegmentSampler:
    """Draws the batch of any step; every window of every episode is equally likely."""

    def __init__(self, store: FrameStore, cut: Segmenting, segments: int, seed: int) -> None:
        """Keeps the store; `segments` is the number of segments in a batch.

        Raises:
            ConfigError: all episodes are shorter than a policy's history.
        """
        longest = int(store.lengths.max(initial=0))
        if longest < cut.context:
            raise ConfigError(
                f"model.context: is {cut.context} steps, but the longest of {len(store.lengths)} "
                f"training episodes has {longest} ticks; use longer ones, or lower model.context"
            )
        self.store, self.cut, self.segments, self.seed = store, cut, segments, seed
        # A segment may hang over both ends of its episode, or the first and last windows would be
        # drawn more rarely.
        self._counts = store.lengths + cut.span
        self._cumulative = np.cumsum(self._counts)

    def batch(self, step: int, share: Share = WHOLE) -> SegmentBatch:
        """Returns the batch of `step`, or a share of it."""
        episode, first_end = self._draw(step)
        return self.store.segments(episode, first_end, self.cut, share)

    def _draw(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """Numbers of episodes, and the ticks (S,) at which the first windows end."""
        rng = np.random.default_rng((self.seed, step))
        while True:
            draw = rng.integers(self._cumulative[-1], size=self.segments)
            episode = np.searchsorted(self._cumulative, draw, side="right")
            before = self._cumulative[episode] - self._counts[episode]
            first_end = draw - before - self.cut.span
            ends = first_end[:, None] + np.arange(self.cut.windows) * self.cut.stride
            # The windows of a few segments may all pass over episodes shorter than the stride.
            if ((ends >= 0) & (ends < self.store.lengths[episode][:, None])).any():
                return episode, first_end

    def statistics(self, floor: Tensor) -> dict[str, Tensor]:
        """Returns those of the store; see `FrameStore.statistics`."""
        return self.store.statistics(floor)
