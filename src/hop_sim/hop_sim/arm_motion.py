"""How the control box turns planned moves and joint speeds into a moving reference."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

_ARRIVED_RAD = 1e-5


@dataclass(frozen=True, slots=True)
class JointMove:
    """A planned move: goal (7,) [rad]; speed, acceleration of the joint that travels farthest."""

    goal: np.ndarray
    speed: float
    acceleration: float


class MovePlanner:
    """Drives a reference to goal after goal (mode 0) or to the newest one (mode 6).

    Attributes:
        reference: (7,) [rad].
        speed: (7,) [rad/s].
    """

    def __init__(self) -> None:
        """Start at rest at zero; call `reset` before use."""
        self.reference = np.zeros(7)
        self.speed = np.zeros(7)
        self._queue: deque[JointMove] = deque()
        self._scale = np.ones(7)

    @property
    def queued(self) -> int:
        """Number of unfinished moves."""
        return len(self._queue)

    def reset(self, q: np.ndarray) -> None:
        """Forget all moves and rest at `q` (7,) [rad]."""
        self.reference[:] = q
        self.speed[:] = 0.0
        self._queue.clear()

    def add(self, move: JointMove, replace: bool) -> None:
        """Queue a move; `replace` makes it the only one, starting from the present speed."""
        if replace:
            self._queue.clear()
        self._queue.append(move)
        if len(self._queue) == 1:
            self._start(move)

    def _start(self, move: JointMove) -> None:
        distance = np.abs(move.goal - self.reference)
        self._scale = np.maximum(distance / max(float(distance.max()), 1e-9), 0.02)

    def step(self, dt_s: float) -> np.ndarray:
        """Advance by `dt_s` and return the reference (7,) [rad]."""
        if not self._queue:
            return self.reference
        move = self._queue[0]
        error = move.goal - self.reference
        speed, acceleration = move.speed * self._scale, move.acceleration * self._scale
        braking = np.sqrt(2.0 * acceleration * np.abs(error))
        # Within one step of the goal the braking curve is steeper than a step can follow: never
        # pass the goal.
        wanted = np.sign(error) * np.minimum(np.minimum(speed, braking), np.abs(error) / dt_s)
        self.speed += np.clip(wanted - self.speed, -acceleration * dt_s, acceleration * dt_s)
        self.speed[np.abs(error) < _ARRIVED_RAD] = 0.0
        self.reference += self.speed * dt_s
        if (
            np.abs(move.goal - self.reference).max() < 10 * _ARRIVED_RAD
            and np.abs(self.speed).max() < 0.05
        ):
            self.reference[:] = move.goal
            self.speed[:] = 0.0
            self._queue.popleft()
            if self._queue:
                self._start(self._queue[0])
        return self.reference


class JointSpeed:
    """Drives a reference at commanded joint speeds (mode 4), with the controller's own deadman.

    Source: vendor SDK, vc_set_joint_velocity: `duration` > 0 stops the arm when no newer command
    came in that time.
    """

    def __init__(self) -> None:
        """Start at rest."""
        self._wanted = np.zeros(7)
        self.speed = np.zeros(7)
        self._left_s = 0.0

    def reset(self) -> None:
        """Stop at once."""
        self._wanted[:] = 0.0
        self.speed[:] = 0.0

    def command(self, speed: np.ndarray, duration_s: float) -> None:
        """Take speeds (7,) [rad/s]; `duration_s` <= 0 means until the next command."""
        self._wanted[:] = speed
        self._left_s = duration_s if duration_s > 0.0 else np.inf

    def step(self, reference: np.ndarray, acceleration: float, dt_s: float) -> np.ndarray:
        """Move `reference` (7,) [rad] in place, at most `acceleration` [rad/s^2], and return it."""
        self._left_s -= dt_s
        if self._left_s <= 0.0:
            self._wanted[:] = 0.0
        self.speed += np.clip(self._wanted - self.speed, -acceleration * dt_s, acceleration * dt_s)
        reference += self.speed * dt_s
        return reference
