"""What every solver of Eq. 1 takes and returns."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np

from hop_core.embodiment import JOINT_NAMES, Embodiment
from hop_core.errors import RetargetingError


class StopReason(IntEnum):
    """Why the search for one problem ended; only CONVERGED is a success."""

    CONVERGED = 0
    LIMIT = 1  # of iterations or evaluations; the answer is the best posture found
    FAILED = 2  # the library gave up; the answer is the best posture found
    INVALID = 3  # goals or posture are not finite; the answer is NaN


@dataclass(frozen=True)
class Solution:
    """Answers to B problems of Eq. 1.

    Attributes:
        a: (B, 23) joint angles [rad] within the bounds, order JOINT_NAMES.
        cost: (B,) value of Eq. 1 [m^2].
        iterations: (B,) int, evaluations of the cost.
        stop: (B,) int, a `StopReason` each.
    """

    a: np.ndarray
    cost: np.ndarray
    iterations: np.ndarray
    stop: np.ndarray

    @property
    def converged(self) -> np.ndarray:
        """(B,) bool, which problems were solved to tolerance."""
        return np.asarray(self.stop == StopReason.CONVERGED)

    def failures(self) -> dict[str, int]:
        """Return how many problems ended otherwise, by the name of the reason; empty if none."""
        counts = {reason.name.lower(): int((self.stop == reason).sum()) for reason in StopReason}
        return {name: n for name, n in counts.items() if n and name != "converged"}


class Solver(Protocol):
    """A solver of Eq. 1 for batches of independent problems."""

    def solve(self, x_h: np.ndarray, phi: np.ndarray, start: np.ndarray | None = None) -> Solution:
        """Return the minimisers of Eq. 1.

        Args:
            x_h: (B, K, 3) goals of the robot's points in base_link [m], order of `config.points`.
            phi: (B, 23) present joint angles [rad], order JOINT_NAMES.
            start: (B, 23) where each search begins [rad]; default: `phi`. Moved into the bounds.

        Raises:
            RetargetingError: an array has another shape.
        """


@dataclass(frozen=True)
class Problems:
    """B checked problems of Eq. 1; see `Solver.solve`.

    Attributes:
        x_h: (B, K, 3) goals [m].
        phi: (B, 23) [rad].
        start: (B, 23) [rad], within the bounds where it is finite.
        valid: (B,) bool, whether all figures of a problem are finite.
    """

    x_h: np.ndarray
    phi: np.ndarray
    start: np.ndarray
    valid: np.ndarray


@dataclass(frozen=True)
class Bounds:
    """The set A of Eq. 1: lower and upper joint angles (23,) [rad]."""

    lower: np.ndarray
    upper: np.ndarray

    def __post_init__(self) -> None:
        """Refuse what bounds nothing.

        Raises:
            RetargetingError: another shape, or a lower bound that is not below its upper one.
        """
        if self.lower.shape != (len(JOINT_NAMES),) or self.upper.shape != self.lower.shape:
            raise RetargetingError(
                f"bounds must have shape ({len(JOINT_NAMES)},), got {self.lower.shape} and "
                f"{self.upper.shape}"
            )
        crossed = [n for n, ok in zip(JOINT_NAMES, self.lower < self.upper, strict=True) if not ok]
        if crossed:
            raise RetargetingError(f"lower bounds must be below the upper ones: {crossed}")


def one_turn_bounds(embodiment: Embodiment) -> Bounds:
    """Return the device limits, joints that turn further bounded to half a turn about home.

    So each joint has one winding number, and a posture one set of angles.
    """
    wide = embodiment.upper - embodiment.lower > 2.0 * np.pi
    lower = np.where(wide, embodiment.home - np.pi, embodiment.lower)
    upper = np.where(wide, embodiment.home + np.pi, embodiment.upper)
    return Bounds(np.maximum(lower, embodiment.lower), np.minimum(upper, embodiment.upper))


def check_problems(
    x_h: np.ndarray, phi: np.ndarray, start: np.ndarray | None, points: int, bounds: Bounds
) -> Problems:
    """Return the arguments of `Solver.solve` as checked, C-contiguous float64 arrays.

    Args:
        x_h: see `Solver.solve`.
        phi: see there.
        start: see there.
        points: K.
        bounds: into which the start is moved.

    Raises:
        RetargetingError: an array has another shape.
    """
    goals = np.ascontiguousarray(x_h, dtype=np.float64)
    present = np.ascontiguousarray(phi, dtype=np.float64)
    begin = present if start is None else np.asarray(start, dtype=np.float64)
    if goals.ndim != 3 or goals.shape[1:] != (points, 3):
        raise RetargetingError(f"goals x_h must have shape (B, {points}, 3), got {goals.shape}")
    for name, array in (("phi", present), ("start", begin)):
        if array.shape != (len(goals), len(JOINT_NAMES)):
            raise RetargetingError(
                f"{name} must have shape ({len(goals)}, {len(JOINT_NAMES)}), got {array.shape}"
            )
    figures = np.concatenate([goals.reshape(len(goals), 3 * points), present, begin], axis=1)
    begin = np.ascontiguousarray(np.clip(begin, bounds.lower, bounds.upper))
    return Problems(goals, present, begin, np.asarray(np.isfinite(figures).all(axis=1)))
