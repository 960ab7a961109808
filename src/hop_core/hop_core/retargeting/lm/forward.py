"""Where the robot's points are, and what Eq. 1 says of it."""

from __future__ import annotations

import math

import numpy as np

from hop_core.retargeting.lm.jit import inlined
from hop_core.retargeting.lm.layout import JOINTS, Robot, Scratch


@inlined
def place(robot: Robot, q: np.ndarray, room: Scratch) -> None:
    """Fill `room.frames` and `room.points` at joint angles `q` (23,) [rad]."""
    fixed, frames, local = robot.fixed, room.frames, robot.point_m
    for j in range(JOINTS):
        parent, cos, sin = robot.parent[j], math.cos(q[j]), math.sin(q[j])
        for r in range(3):
            a, b, c = frames[parent, r, 0], frames[parent, r, 1], frames[parent, r, 2]
            x = a * fixed[j, 0, 0] + b * fixed[j, 1, 0] + c * fixed[j, 2, 0]
            y = a * fixed[j, 0, 1] + b * fixed[j, 1, 1] + c * fixed[j, 2, 1]
            shift = a * fixed[j, 0, 3] + b * fixed[j, 1, 3] + c * fixed[j, 2, 3]
            frames[j + 1, r, 0] = cos * x + sin * y
            frames[j + 1, r, 1] = cos * y - sin * x
            frames[j + 1, r, 2] = a * fixed[j, 0, 2] + b * fixed[j, 1, 2] + c * fixed[j, 2, 2]
            frames[j + 1, r, 3] = frames[parent, r, 3] + shift
    for k in range(len(robot.point_frame)):
        f = robot.point_frame[k]
        for r in range(3):
            turned = frames[f, r, 0] * local[k, 0] + frames[f, r, 1] * local[k, 1]
            room.points[k, r] = turned + frames[f, r, 2] * local[k, 2] + frames[f, r, 3]


@inlined
def evaluate(
    robot: Robot, lam: np.ndarray, x_h: np.ndarray, phi: np.ndarray, q: np.ndarray, room: Scratch
) -> float:
    """Return Eq. 1 at `q` [m^2]; leaves frames, points and misses of `q` in `room`."""
    place(robot, q, room)
    far = 0.0
    for k in range(len(robot.weight)):
        square = 0.0
        for r in range(3):
            d = x_h[k, r] - room.points[k, r]
            room.miss[k, r] = d
            square += d * d
        far += robot.weight[k] * square
    lag = 0.0
    for j in range(JOINTS):
        lag += lam[j] * (q[j] - phi[j]) ** 2
    return 0.5 * far + lag
