"""The one motion limiter.

Velocity, acceleration and tool speed, for supervisor, drivers, experts and retargeting alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import ARM
from hop_core.errors import ModelError
from hop_core.kinematics import Kinematics


@dataclass(frozen=True)
class MotionLimits:
    """Bounds of a motion.

    Attributes:
        velocity: (n,) largest joint speed [rad/s].
        acceleration: (n,) largest joint acceleration [rad/s^2].
        tcp_speed_m_s: largest speed of the palm caused by the arm's joints [m/s]; None: not
            bounded.
    """

    velocity: np.ndarray
    acceleration: np.ndarray
    tcp_speed_m_s: float | None = None

    def scaled(self, speed: float) -> MotionLimits:
        """Return the bounds of the same path at `speed` s times the pace: v by s, a by s^2."""
        tcp = None if self.tcp_speed_m_s is None else self.tcp_speed_m_s * speed
        return MotionLimits(self.velocity * speed, self.acceleration * speed**2, tcp)


@dataclass(frozen=True)
class LimitedStep:
    """What the limiter allows for one step.

    Attributes:
        q: (n,) joint target [rad].
        qd: (n,) speed at which it is approached [rad/s].
        clamped: names of the bounds that acted: "velocity", "acceleration", "tcp_speed"; empty if
            `q` is the goal.
    """

    q: np.ndarray
    qd: np.ndarray
    clamped: tuple[str, ...]

    @property
    def limited(self) -> bool:
        """Whether any bound acted."""
        return bool(self.clamped)


class MotionLimiter:
    """Follows goals under velocity, acceleration and tool-speed bounds, with room to brake.

    The speed toward a goal at distance e is at most the one from which n steps of full braking end
    exactly there:
    v = e / (n dt) + (n - 1) a dt / 2 with the smallest n for which n (n + 1) a dt^2 / 2 >= e.
    """

    def __init__(self, limits: MotionLimits, kinematics: Kinematics | None = None) -> None:
        """Bind the bounds.

        `kinematics` is needed when `tcp_speed_m_s` is set, and then joints are the robot's 23.
        """
        if limits.tcp_speed_m_s is not None and kinematics is None:
            raise ModelError(
                "a tool speed limit needs kinematics; pass Kinematics() or set tcp_speed_m_s to "
                "None"
            )
        self.limits = limits
        self._kinematics = kinematics
        self.q = np.zeros_like(limits.velocity)
        self.qd = np.zeros_like(limits.velocity)

    def reset(self, q: np.ndarray) -> None:
        """Start at rest at `q` (n,) [rad]."""
        self.q = np.array(q, dtype=np.float64)
        self.qd = np.zeros_like(self.q)

    def step(self, q_goal: np.ndarray, dt_s: float) -> LimitedStep:
        """Return the next target on the way to `q_goal` (n,) [rad], `dt_s` after the last one."""
        bound = self.limits
        error = q_goal - self.q
        wanted = error / dt_s
        brake = bound.acceleration * dt_s
        # From n braking steps away the fastest approach is e / (n dt) + (n - 1) a dt / 2: it ends
        # at the goal, not beyond.
        distance = np.abs(error)
        steps = np.maximum(np.ceil(np.sqrt(0.25 + 2.0 * distance / (brake * dt_s)) - 0.5), 1.0)
        stoppable = distance / (steps * dt_s) + 0.5 * (steps - 1.0) * brake
        # minimum/maximum and abs().max() in place of clip and allclose: this runs 333 times a
        # second, and they cost half.
        reach = np.minimum(stoppable, bound.velocity)
        speed = np.minimum(np.maximum(wanted, -reach), reach)
        qd = np.minimum(np.maximum(speed, self.qd - brake), self.qd + brake)
        unbraked = np.minimum(np.maximum(wanted, -bound.velocity), bound.velocity)
        clamped = []
        if (np.abs(wanted) > bound.velocity * (1.0 + 1e-9)).any():
            clamped.append("velocity")
        if np.abs(qd - unbraked).max() > 1e-9:
            clamped.append("acceleration")
        share = self._tcp_share(qd)
        if share < 1.0:
            clamped.append("tcp_speed")
            qd[ARM] *= share
        self.q = q_goal.astype(np.float64) if not clamped else self.q + qd * dt_s
        self.qd = qd
        return LimitedStep(self.q.copy(), qd.copy(), tuple(clamped))

    def _tcp_share(self, qd: np.ndarray) -> float:
        """Share of the arm's speed that keeps the palm below its limit: 1 when it is."""
        if self._kinematics is None or self.limits.tcp_speed_m_s is None:
            return 1.0
        jacobian = self._kinematics.jacobian(self.q, "palm")
        palm_m_s = float(np.linalg.norm(jacobian[:3, ARM] @ qd[ARM]))
        return (
            1.0 if palm_m_s <= self.limits.tcp_speed_m_s else self.limits.tcp_speed_m_s / palm_m_s
        )
