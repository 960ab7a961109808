"""The moving angles that the control box's inner servo follows between one target and the next."""

from __future__ import annotations

import numpy as np

SERVO_BANDWIDTH_RAD_S = 60.0
"""Natural frequency of the box's critically damped answer to a target [rad/s].

Ours: a step arrives within about 80 ms, a moving target is followed 33 ms late, unsmoothed as the
vendor says ("like a step response"). Identify it on the arm.
"""


class ServoReference:
    """Answers targets by a critically damped motion, at most at the joints' speed limit.

    Attributes:
        position: (n,) [rad].
        speed: (n,) [rad/s].
    """

    def __init__(self, speed_limit: np.ndarray) -> None:
        """Rest at zero; `speed_limit` is (n,) [rad/s]."""
        self.position = np.zeros(len(speed_limit))
        self.speed = np.zeros(len(speed_limit))
        self._target = np.zeros(len(speed_limit))
        self._limit = speed_limit

    def hold(self, q: np.ndarray) -> None:
        """Rest at `q` (n,) [rad]."""
        self.position[:] = q
        self._target[:] = q
        self.speed[:] = 0.0

    def set_target(self, q: np.ndarray) -> None:
        """Head for `q` (n,) [rad]; only the newest target counts."""
        self._target[:] = q

    def step(self, dt_s: float) -> None:
        """Advance by `dt_s`: exactly x'' = w^2 (target - x) - 2 w x', then the speed limit."""
        w = SERVO_BANDWIDTH_RAD_S
        error = self.position - self._target
        a = self.speed + w * error
        decay = np.exp(-w * dt_s)
        wanted = self._target + (error + a * dt_s) * decay
        speed = (self.speed - w * dt_s * a) * decay
        reach = self._limit * dt_s
        # minimum and maximum: np.clip costs five times as much on so few values
        self.position += np.minimum(np.maximum(wanted - self.position, -reach), reach)
        np.minimum(np.maximum(speed, -self._limit), self._limit, out=self.speed)
