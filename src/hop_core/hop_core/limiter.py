"""The one motion limiter.

Velocity, acceleration and tool speed, for supervisor, drivers, experts and retargeting alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

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
        lower, upper: (n,) position limits [rad] before which there is always room to brake; None:
            no such limits. Goals are expected to keep them.
    """

    velocity: np.ndarray
    acceleration: np.ndarray
    tcp_speed_m_s: float | None = None
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None

    def scaled(self, speed: float) -> MotionLimits:
        """Return the bounds of the same path at `speed` s times the pace: v by s, a by s^2."""
        tcp = None if self.tcp_speed_m_s is None else self.tcp_speed_m_s * speed
        return replace(
            self,
            velocity=self.velocity * speed,
            acceleration=self.acceleration * speed**2,
            tcp_speed_m_s=tcp,
        )


@dataclass(frozen=True)
class Clamped:
    """Which bounds acted, each (...,) bool."""

    velocity: np.ndarray
    acceleration: np.ndarray
    tcp_speed: np.ndarray

    @property
    def any(self) -> np.ndarray:
        """(...,) whether any bound acted."""
        return np.asarray(self.velocity | self.acceleration | self.tcp_speed)

    def names(self) -> tuple[str, ...]:
        """Return the names of the bounds that acted on a single motion."""
        return tuple(name for name in _BOUNDS if getattr(self, name))


_BOUNDS = ("velocity", "acceleration", "tcp_speed")
_UNSLOWED = np.ones(())
PalmPosition = Callable[[np.ndarray], np.ndarray]
"""Takes joint angles (..., 23) [rad]; gives the palm (..., 3) in base_link [m]."""


def limit_motion(
    q: np.ndarray,
    qd: np.ndarray,
    q_goal: np.ndarray,
    dt_s: float,
    limits: MotionLimits,
    palm: PalmPosition | None = None,
    goal_qd: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, Clamped]:
    """Return the next target on the way to a goal under velocity, acceleration and tool speed.

    There is always room to brake to the goal's own speed: see `stoppable_speed`. So a goal that
    stays is never passed, and goals that keep the bounds themselves are met exactly if `goal_qd`
    tells how they move. A goal that moves and stops at once is passed by the way of braking, but
    never a position limit. All this holds for steps of equal length: shorter ones need more room
    to brake. The tool's speed comes before the acceleration: where it acts, joints brake harder.

    Args:
        q: (..., n) last target [rad].
        qd: (..., n) its speed [rad/s].
        q_goal: (..., n) where it is to go [rad].
        dt_s: time since the last target [s].
        limits: the bounds.
        palm: needed for a bound on the tool's speed; n is 23 then.
        goal_qd: (..., n) speed with which the goal is expected to move on [rad/s]; None: it stays.

    Returns:
        (..., n) next target [rad], (..., n) its speed [rad/s], and which bounds acted: the target
        is the goal, exactly, where none did.
    """
    error = q_goal - q
    wanted = error / dt_s
    brake = limits.acceleration * dt_s
    reach = stoppable_speed(np.abs(error), dt_s, limits.acceleration)
    if goal_qd is not None:
        reach += np.maximum(goal_qd * np.sign(error), 0.0)
        if limits.lower is not None and limits.upper is not None:
            room = np.maximum(np.where(error > 0.0, limits.upper - q, q - limits.lower), 0.0)
            reach = np.minimum(reach, stoppable_speed(room, dt_s, limits.acceleration))
    # minimum/maximum in place of clip: this runs 333 times a second, and clip costs twice as much.
    reach = np.minimum(reach, limits.velocity)
    speed = np.minimum(np.maximum(wanted, -reach), reach)
    next_qd = np.minimum(np.maximum(speed, qd - brake), qd + brake)
    unbraked = np.minimum(np.maximum(wanted, -limits.velocity), limits.velocity)
    share = _tool_share(q, next_qd, dt_s, limits.tcp_speed_m_s, palm)
    clamped = Clamped(
        velocity=(np.abs(wanted) > limits.velocity * (1.0 + 1e-9)).any(axis=-1),
        acceleration=(np.abs(next_qd - unbraked) > 1e-9).any(axis=-1),
        tcp_speed=share < 1.0,
    )
    if clamped.tcp_speed.any():
        next_qd[..., ARM] *= share[..., None]
    next_q = q + next_qd * dt_s
    np.copyto(next_q, q_goal, where=~clamped.any[..., None])
    return next_q, next_qd, clamped


def stoppable_speed(distance: np.ndarray, dt_s: float, acceleration: np.ndarray) -> np.ndarray:
    """Return the largest speed from which steps of full braking end at a distance, not beyond.

    v = e / (n dt) + (n - 1) a dt / 2 with the smallest n for which n (n + 1) a dt^2 / 2 >= e.

    Args:
        distance: (..., n) e >= 0 [rad].
        dt_s: length of a step [s].
        acceleration: (n,) a [rad/s^2].

    Returns:
        (..., n) [rad/s].
    """
    brake = acceleration * dt_s
    steps = np.maximum(np.ceil(np.sqrt(0.25 + 2.0 * distance / (brake * dt_s)) - 0.5), 1.0)
    return np.asarray(distance / (steps * dt_s) + 0.5 * (steps - 1.0) * brake)


def _tool_share(
    q: np.ndarray,
    qd: np.ndarray,
    dt_s: float,
    limit_m_s: float | None,
    palm: PalmPosition | None,
) -> np.ndarray:
    """Share (...,) or () of the arm's speed that keeps the palm below its limit: 1 when it is."""
    if palm is None or limit_m_s is None:
        return _UNSLOWED
    moved_m = palm(q + qd * dt_s) - palm(q)
    palm_m_s = np.linalg.norm(moved_m, axis=-1) / dt_s
    return np.asarray(limit_m_s / np.maximum(palm_m_s, limit_m_s))


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
    """Follows the goals of one robot, or of a part of it; see `limit_motion`."""

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
        self._palm: PalmPosition | None = None
        if kinematics is not None:
            self._palm = lambda q: kinematics.site_pose(q, "palm")[:3, 3]
        self.q = np.zeros_like(limits.velocity)
        self.qd = np.zeros_like(limits.velocity)

    def reset(self, q: np.ndarray) -> None:
        """Start at rest at `q` (n,) [rad]."""
        self.q = np.array(q, dtype=np.float64)
        self.qd = np.zeros_like(self.q)

    def step(
        self, q_goal: np.ndarray, dt_s: float, goal_qd: np.ndarray | None = None
    ) -> LimitedStep:
        """Return the next target on the way to `q_goal` (n,) [rad], `dt_s` after the last one.

        `goal_qd` (n,) [rad/s] is how the goal is expected to move on; None: it stays.
        """
        goal = np.asarray(q_goal, dtype=np.float64)
        self.q, self.qd, clamped = limit_motion(
            self.q, self.qd, goal, dt_s, self.limits, self._palm, goal_qd
        )
        return LimitedStep(self.q.copy(), self.qd.copy(), clamped.names())
