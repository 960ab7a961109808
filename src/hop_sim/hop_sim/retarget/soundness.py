"""What makes an attempt useless however well it follows the hand: it is ended there and then."""

from __future__ import annotations

import numpy as np

from hop_core.retargeting.solver import Solution
from hop_sim.retarget.config import PruneConfig
from hop_sim.retarget.physics import StepResult

REASONS = ("arm_contact", "penetration", "unsolvable", "limited")
"""Why an attempt ends early; of several in one step the first one counts."""


class Soundness:
    """Watches B attempts step by step.

    Attributes:
        steps: (B,) int, steps that each made.
        reason: (B,) int, number in REASONS of what ended it; -1: nothing.
        limited, unsolved: (B,) int, steps with limiter, and without the solver's tolerance met.
        penetration_m: (B,) deepest contact of the hand.
        saturated: (B,) shares of the hand's motors at their caps, summed over the steps.
    """

    def __init__(self, batch: int, steps: int, config: PruneConfig) -> None:
        """Bind limits for attempts of so many steps."""
        self._penetration_m = config.penetration_m
        self._most_limited = config.limited_share * steps
        self.steps, self.limited, self.unsolved = (
            np.zeros(batch, dtype=np.int64) for _ in range(3)
        )
        self.reason = np.full(batch, -1, dtype=np.int64)
        self.penetration_m, self.saturated = np.zeros(batch), np.zeros(batch)

    def look(
        self, rows: np.ndarray, solution: Solution, limited: np.ndarray, result: StepResult
    ) -> np.ndarray:
        """Take a step of the attempts `rows` (A,) into account; return which go on (A,)."""
        self.steps[rows] += 1
        self.limited[rows] += limited
        self.unsolved[rows] += ~solution.converged
        self.saturated[rows] += result.saturated
        self.penetration_m[rows] = np.maximum(self.penetration_m[rows], result.penetration_m)
        unsound = np.stack(
            [
                result.arm_contact,
                result.penetration_m > self._penetration_m,
                ~(np.isfinite(solution.a) & np.isfinite(result.q)).all(axis=1),
                self.limited[rows] > self._most_limited,
            ]
        )
        ended = unsound.any(axis=0)
        self.reason[rows[ended]] = unsound.argmax(axis=0)[ended]
        return np.asarray(~ended)
