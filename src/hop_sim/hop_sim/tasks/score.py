"""The score of an episode: a task's conditions, met for a while without a break."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Score:
    """Progress of B episodes.

    Attributes:
        met_s: (B,) how long the conditions have been met without a break [s].
        success: (B,) bool, whether that was ever enough.
    """

    met_s: np.ndarray
    success: np.ndarray

    @classmethod
    def zero(cls, batch: int) -> Score:
        """Return the score at the start."""
        return cls(np.zeros(batch), np.zeros(batch, dtype=bool))


def advance_score(score: Score, met: np.ndarray, hold_s: float, dt_s: float) -> Score:
    """Return the score `dt_s` later, with the conditions `met` (B,): success is `hold_s` of them.

    A success stays one.
    """
    met_s = np.where(met, score.met_s + dt_s, 0.0)
    return Score(met_s, score.success | (met_s >= hold_s - 1e-9))
