"""The scripted expert of Grasp & Lift: come in along the palm's normal, close, lift.

It tries again when the object slipped. It sees the object's true pose, which a policy never does,
and gives one 23-joint target a tick, as a policy does. Episodes vary in approach, speed and pauses;
demonstrations also start far from home, so that a policy learns the way from everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np

from hop_core.embodiment import ARM, HAND, load_embodiment
from hop_core.ik import solve_palm
from hop_core.kinematics import Kinematics

OPEN = np.array([*(0.0, 0.35, 0.35, 0.35) * 3, 1.35, 0.35, 0.0, 0.0])
CLOSED = np.array([*(0.0, 1.5, 0.9, 0.8) * 3, 1.38, 0.7, 1.5, 1.2])
# Where the fingers stop each other when they close on air.
FIST = np.array([*(0.0, 1.36, 0.83, 0.71) * 3, 1.37, 0.65, 1.33, 1.1])
# Fingers toward the robot's right, where the camera sees them from the front.
PALM_YAW_RAD = -np.pi / 2
PALM_TILT_RAD = np.radians(40.0)  # fingers below the horizontal
GRASP_POINT_M = np.array([0.070, -0.006, 0.015])  # of the palm frame; the object's grip comes here
GRIP_M = np.array([0.0, 0.0, 0.070])  # from the object's foot to where it is gripped
PREGRASP_M = 0.13  # at most so far before the grasp, along the palm's normal, an approach turns in
LIFT_M = np.array([0.0, 0.0, 0.18])
RAMP = 0.15  # share of an approach in which it speeds up, and again slows down
_LOST_M = 0.08  # an object so far from the grip has slipped out of the hand
_RELEASE_S = 0.8
_FIST_RAD = 0.3
_STYLE_STREAM = 3  # of an episode's seed; other numbers draw the camera's pose and noise


@dataclass(frozen=True)
class Style:
    """How one episode is done.

    Attributes:
        speed_m_s: mean speed of the approach.
        close_s: time to close the fingers.
        settle_s: pause between closing and lifting.
        lift_s: time to lift.
        start_s: pause before the approach.
        yaw_rad, tilt_rad: added to the palm's yaw and tilt.
        wander_m: amplitude of a slow wobble of the approach.
    """

    speed_m_s: float
    close_s: float
    settle_s: float
    lift_s: float
    start_s: float
    yaw_rad: float
    tilt_rad: float
    wander_m: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Style:
        """Draw a style."""
        return cls(
            speed_m_s=rng.uniform(0.20, 0.30),
            close_s=rng.uniform(0.5, 0.7),
            settle_s=rng.uniform(0.1, 0.2),
            lift_s=rng.uniform(0.8, 1.2),
            start_s=rng.uniform(0.0, 0.2),
            yaw_rad=rng.uniform(-0.05, 0.05),
            tilt_rad=rng.uniform(-0.05, 0.05),
            wander_m=rng.uniform(0.0, 0.006),
        )


class Phase(Enum):
    """What the expert is doing."""

    APPROACH = "approach"
    CLOSE = "close"
    LIFT = "lift"
    HOLD = "hold"
    RELEASE = "release"


def palm_rotation(yaw_rad: float, tilt_rad: float) -> np.ndarray:
    """Return R_base_palm (3, 3) with fingers along `yaw_rad`, `tilt_rad` below the horizontal."""
    cy, sy, ct, st = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(tilt_rad), np.sin(tilt_rad)
    fingers = np.array([cy * ct, sy * ct, -st])
    normal = np.array([-cy * st, -sy * st, -ct])
    return np.stack([normal, np.cross(fingers, normal), fingers], axis=1)


class LiftExpert:
    """Gives one target a tick; `reset` it at the start of an episode."""

    def __init__(self, rng: np.random.Generator, tick_s: float) -> None:
        """Draw this expert's episodes from `rng`; `tick_s` is the time between targets [s]."""
        self._rng = rng
        self._tick_s = tick_s
        self._kinematics = Kinematics()
        self.style = Style.sample(rng)
        self.phase = Phase.APPROACH

    @classmethod
    def of_episode(cls, seed: int, tick_s: float) -> LiftExpert:
        """Return the expert whose style is that of the episode `seed`, live and in lock-step."""
        return cls(np.random.default_rng([seed, _STYLE_STREAM]), tick_s)

    def reset(self, q: np.ndarray) -> None:
        """Start an episode at joint angles `q` (23,) [rad], in a new style; a fist opens first."""
        self.style = Style.sample(self._rng)
        self._q = np.array(q, dtype=np.float64)
        self._time_s = 0.0
        self._wobble = self._rng.uniform(0.0, 2.0 * np.pi, (2, 3))
        is_fist = np.allclose(self._q[HAND], FIST, atol=_FIST_RAD)
        self._begin(Phase.RELEASE if is_fist else Phase.APPROACH, delay_s=self.style.start_s)

    def _begin(self, phase: Phase, delay_s: float = 0.0) -> None:
        self.phase = phase
        self._phase_s = -delay_s
        self._start = self._grasp_point(self._q)
        self._start_rotation = self._kinematics.site_pose(self._q, "palm")[:3, :3]
        self._start_hand = self._q[HAND].copy()

    def _grasp_point(self, q: np.ndarray) -> np.ndarray:
        pose = self._kinematics.site_pose(q, "palm")
        return np.asarray(pose[:3, 3] + pose[:3, :3] @ GRASP_POINT_M)

    def act(self, T_base_object: np.ndarray) -> np.ndarray:
        """Return the next target (23,) [rad] for an object at `T_base_object` (4, 4)."""
        self._time_s += self._tick_s
        self._phase_s += self._tick_s
        if self._phase_s > 0.0:
            step = {
                Phase.APPROACH: self._approach,
                Phase.CLOSE: self._close,
                Phase.LIFT: self._lift,
                Phase.HOLD: self._hold,
                Phase.RELEASE: self._release,
            }[self.phase]
            step(T_base_object[:3, 3])
        return self._q.copy()

    def _approach(self, object_m: np.ndarray) -> None:
        """Follow a curve that turns in along the palm's normal, with a rounded speed profile."""
        style = self.style
        rotation = palm_rotation(PALM_YAW_RAD + style.yaw_rad, PALM_TILT_RAD + style.tilt_rad)
        grasp = object_m + GRIP_M
        before_m = float(np.clip((grasp - self._start) @ rotation[:, 0], 0.0, PREGRASP_M))
        turn = grasp - before_m * rotation[:, 0]
        length = float(np.linalg.norm(turn - self._start)) + before_m
        share = min(1.0, self._phase_s * style.speed_m_s / length)
        s = _trapezoid(share)
        point = (1 - s) ** 2 * self._start + 2 * s * (1 - s) * turn + s**2 * grasp
        wobble = np.sin(2.0 * self._time_s * (1.0 + self._wobble[0]) + self._wobble[1])
        point = point + style.wander_m * (1.0 - s) * min(1.0, 4.0 * s) * wobble
        self._move(point, _between(self._start_rotation, rotation, s))
        self._q[HAND] = self._start_hand + min(1.0, 2.0 * s) * (OPEN - self._start_hand)
        if share >= 1.0:
            self._begin(Phase.CLOSE)

    def _close(self, _object_m: np.ndarray) -> None:
        share = min(1.0, self._phase_s / self.style.close_s)
        self._q[HAND] = self._start_hand + share * (CLOSED - self._start_hand)
        if self._phase_s >= self.style.close_s + self.style.settle_s:
            self._begin(Phase.LIFT)

    def _lift(self, _object_m: np.ndarray) -> None:
        share = min(1.0, self._phase_s / self.style.lift_s)
        self._move(self._start + LIFT_M * _smooth(share), self._start_rotation)
        if share >= 1.0:
            self._begin(Phase.HOLD)

    def _hold(self, object_m: np.ndarray) -> None:
        """Stay; an object that is not in the hand was lost."""
        if np.linalg.norm(object_m + GRIP_M - self._start) > _LOST_M:
            self._begin(Phase.RELEASE)

    def _release(self, _object_m: np.ndarray) -> None:
        """Open above the table, then approach anew."""
        share = min(1.0, self._phase_s / _RELEASE_S)
        self._q[HAND] = self._start_hand + share * (OPEN - self._start_hand)
        if share >= 1.0:
            self._begin(Phase.APPROACH)

    def _move(self, point_m: np.ndarray, rotation: np.ndarray) -> None:
        self._q[ARM] = reach(point_m, rotation, self._q, self._kinematics)


def reach(
    point_m: np.ndarray,
    rotation: np.ndarray,
    q: np.ndarray,
    kinematics: Kinematics,
    iterations: int = 20,
) -> np.ndarray:
    """Return the arm's joint angles (7,) [rad] that bring the grasp point to `point_m` (3,)."""
    goal = np.eye(4)
    goal[:3, :3] = rotation
    goal[:3, 3] = point_m - rotation @ GRASP_POINT_M
    result = solve_palm(
        goal,
        q,
        kinematics,
        iterations=iterations,
        posture=load_embodiment().home[ARM],
        posture_weight=0.02,
    )
    return np.asarray(result.q[ARM])


def _smooth(share: float) -> float:
    """Minimum-jerk profile of 0..1."""
    return float(share**3 * (10.0 - 15.0 * share + 6.0 * share**2))


def _trapezoid(share: float) -> float:
    """Profile of 0..1 at constant speed between two short ramps: little time is spent creeping."""
    top = 1.0 / (1.0 - RAMP)
    if share < RAMP:
        return 0.5 * top * share**2 / RAMP
    if share > 1.0 - RAMP:
        return 1.0 - 0.5 * top * (1.0 - share) ** 2 / RAMP
    return top * (share - 0.5 * RAMP)


def _between(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Rotation (3, 3) on the shortest way from `a` to `b`."""
    turn = a.T @ b
    angle = np.arccos(np.clip(0.5 * (np.trace(turn) - 1.0), -1.0, 1.0))
    if angle < 1e-9:
        return b
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / (
        2.0 * np.sin(angle)
    )
    skew = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    part = share * angle
    return np.asarray(a @ (np.eye(3) + np.sin(part) * skew + (1.0 - np.cos(part)) * skew @ skew))
