"""The trajectories that a report is about, and their frames, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.store import TrajectoryStore

Scope = Literal["stored", "any", "contact"]
"""All that are stored, or those that a reading of the filter keeps."""
BLOCK_ROWS = 131_072
"""Frames that are read at once: eight chunks of a column, 12 MB of joint angles."""


class Selection:
    """The trajectories of a store that a reading of the filter keeps.

    Attributes:
        kept: which: all that are stored, or those of `kept_any` or `kept_contact`.
        store: what they are in.
        chosen: (M,) bool, whether a trajectory of the store is one of them.
        first_rows: (C,) int64 rows of their first frames in frames/, rising.
    """

    def __init__(self, store: TrajectoryStore, kept: Scope) -> None:
        """Choose from `store`.

        Raises:
            TrajectoryError: a column is damaged, or its trajectories are not one behind the other.
        """
        self.kept, self.store = kept, store
        self.chosen = (
            np.ones(len(store), bool)
            if kept == "stored"
            else store.read(f"metrics/kept_{kept}").astype(bool)
        )
        lengths = store.read("episodes/length").astype(np.int64)
        starts = store.read("episodes/start")
        if not np.array_equal(np.append(starts, store.frames), np.cumsum([0, *lengths])):
            raise TrajectoryError(
                f"{store.address}: episodes/start: trajectories do not lie one behind the other; "
                "see hop trajectories check"
            )
        self._frame_chosen = np.repeat(self.chosen, lengths)
        self._lengths = lengths[self.chosen]
        self.first_rows = starts[self.chosen]

    def __len__(self) -> int:
        """Number of the trajectories."""
        return len(self._lengths)

    @property
    def frames(self) -> int:
        """Number of their frames."""
        return int(self._lengths.sum())

    def episodes(self, path: str) -> np.ndarray:
        """Return a column of episodes/, metrics/ or scene/, a row for each of the trajectories."""
        return np.asarray(self.store.read(path)[self.chosen])

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield rows of frames/ to be read at once, and which of them are of the trajectories."""
        for start in range(0, self.store.frames, BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, self.store.frames))
            if self._frame_chosen[rows].any():
                yield rows, self._frame_chosen[rows]

    def sample(self, at_most: int) -> np.ndarray:
        """Return rows of frames/, rising: evenly spread over the frames, the same at every call.

        Args:
            at_most: how many; all frames if they are fewer.
        """
        count = min(at_most, self.frames)
        ends = np.cumsum(self._lengths)
        numbers = np.arange(count, dtype=np.int64) * self.frames // max(count, 1)
        trajectory = np.searchsorted(ends, numbers, side="right")
        into = numbers - (ends - self._lengths)[trajectory]
        return np.asarray(self.first_rows[trajectory] + into)


def among(rows: slice, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return those of the rows `wanted`, which rise, that are in a block.

    Args:
        rows: rows of the block.
        values: (rows, ...) what it holds.
        wanted: (K,) rows.
    """
    first, end = np.searchsorted(wanted, [rows.start, rows.stop])
    return np.asarray(values[wanted[first:end] - rows.start])
