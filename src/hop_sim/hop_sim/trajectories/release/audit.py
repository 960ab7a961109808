"""How often the deployment's motion limiter would have acted on targets that others made."""

from __future__ import annotations

import numpy as np

from hop_core.embodiment import load_embodiment
from hop_core.kinematics import Kinematics
from hop_core.limiter import MotionLimiter
from hop_core.safety_config import SafetyConfig


class LimiterAudit:
    """Plays targets to the limiter of the deployment and counts where it acts."""

    def __init__(self, safety: SafetyConfig) -> None:
        """Take the limits of `safety`, at the policy's rate."""
        robot = load_embodiment()
        self._period_s = 1.0 / robot.rates.policy_hz
        self._limiter = MotionLimiter(safety.motion_limits(robot), Kinematics())
        self._lower, self._upper = safety.position_limits(robot)

    def limited_share(self, q: np.ndarray, q_target: np.ndarray) -> float:
        """Return the share of steps in which a limit acts.

        The robot stands at the first posture and gets the targets that follow it.

        Args:
            q: (T, 23) posture after each step [rad].
            q_target: (T, 23) target of each step [rad].
        """
        self._limiter.reset(q[0])
        # As the safety filter does; stored values may lie beyond a limit by their rounding.
        goals = np.clip(q_target, self._lower, self._upper)
        speeds = np.diff(goals, axis=0) / self._period_s
        limited = [
            self._limiter.step(goal, self._period_s, goal_qd).limited
            for goal, goal_qd in zip(goals[1:], speeds, strict=True)
        ]
        return float(np.mean(limited))
