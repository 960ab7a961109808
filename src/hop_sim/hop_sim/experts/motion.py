"""Pieces of a scripted motion: speed profiles, ways of several legs, rotations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hop_core.rotation import angle_between

RAMP = 0.15  # share of a `trapezoid` in which it speeds up, and again slows down
_RADIAN_M = 0.3  # a radian takes as long as so much of a straight line: the arm can follow


def smooth(share: float) -> float:
    """Minimum-jerk profile of 0..1."""
    return float(share**3 * (10.0 - 15.0 * share + 6.0 * share**2))


def trapezoid(share: float) -> float:
    """Profile of 0..1 at constant speed between two short ramps: little time is spent creeping."""
    top = 1.0 / (1.0 - RAMP)
    if share < RAMP:
        return 0.5 * top * share**2 / RAMP
    if share > 1.0 - RAMP:
        return 1.0 - 0.5 * top * (1.0 - share) ** 2 / RAMP
    return top * (share - 0.5 * RAMP)


def turn_about(axis: np.ndarray, angle_rad: float) -> np.ndarray:
    """Return the rotation (3, 3) by `angle_rad` about the unit vector `axis` (3,)."""
    skew = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    return np.asarray(
        np.eye(3) + np.sin(angle_rad) * skew + (1.0 - np.cos(angle_rad)) * skew @ skew
    )


def between(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """Return the rotation (3, 3) on the shortest way from `a` to `b`."""
    turn = a.T @ b
    angle = angle_between(a, b)
    if angle < 1e-9:
        return b
    axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / (
        2.0 * np.sin(angle)
    )
    return np.asarray(a @ turn_about(axis, share * angle))


def shortest_turn(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the least rotation (3, 3) that takes the unit vector `a` (3,) to `b` (3,)."""
    axis = np.cross(a, b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3)
    return turn_about(axis / sine, float(np.arctan2(sine, a @ b)))


def palm_rotation(yaw_rad: float, tilt_rad: float) -> np.ndarray:
    """Return R_base_palm (3, 3) with fingers along `yaw_rad`, `tilt_rad` below the horizontal."""
    cy, sy, ct, st = np.cos(yaw_rad), np.sin(yaw_rad), np.cos(tilt_rad), np.sin(tilt_rad)
    fingers = np.array([cy * ct, sy * ct, -st])
    normal = np.array([-cy * st, -sy * st, -ct])
    return np.stack([normal, np.cross(fingers, normal), fingers], axis=1)


@dataclass(frozen=True)
class Leg:
    """One straight piece of a way: to the point `goal_m` (3,) [m], turning to `rotation` (3, 3)."""

    goal_m: np.ndarray
    rotation: np.ndarray


@dataclass(frozen=True)
class Reached:
    """Where a motion along a way is: `point_m` (3,), `rotation` (3, 3), its share of the time."""

    point_m: np.ndarray
    rotation: np.ndarray
    share: float


def along(
    start_m: np.ndarray,
    start_rotation: np.ndarray,
    legs: Sequence[Leg],
    speed_m_s: float,
    time_s: float,
) -> Reached:
    """Return where a motion along `legs` is after `time_s`, in the frame of all points.

    It does not halt between legs: while it slows down on one it speeds up on the next, and so
    rounds the corner. `speed_m_s` is the mean of each leg.

    Args:
        start_m: (3,) where it begins [m].
        start_rotation: (3, 3) how it is turned there.
        legs: at least one.
        speed_m_s: above 0.
        time_s: since the beginning [s].
    """
    point, rotation = start_m, start_rotation
    was, turned, begin, end = start_m, start_rotation, 0.0, 0.0
    for leg in legs:
        angle = angle_between(turned, leg.rotation)
        length = max(float(np.linalg.norm(leg.goal_m - was)), _RADIAN_M * angle, 1e-6)
        takes = length / speed_m_s
        s = trapezoid(float(np.clip((time_s - begin) / takes, 0.0, 1.0)))
        point = point + s * (leg.goal_m - was)
        rotation = rotation @ turned.T @ between(turned, leg.rotation, s)
        was, turned = leg.goal_m, leg.rotation
        begin, end = begin + (1.0 - RAMP) * takes, max(end, begin + takes)
    return Reached(point, rotation, min(1.0, time_s / end))
