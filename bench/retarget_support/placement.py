"""A recorded hand, placed with its table before the robot."""

from __future__ import annotations

import numpy as np

TABLE_X_M = 0.65  # source: HOP paper, section IV, Retargeting
# Where a wrist is drawn again: nearer or farther than the arm can serve [m from the base's axis].
NEAREST_M, FARTHEST_M = 0.25, 0.75
TABLE_SPREAD_M = np.array([0.1, 0.15])  # of the table's centre, x and y
TABLE_HEIGHT_M = 0.1  # highest table top above the base


def place(keypoints_m: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns the track with its table at `count` random yaws and offsets before the robot.

    Args:
        keypoints_m: (T, 21, 3), z up, origin on the table [m].
        count: of placements; those with a wrist out of the arm's range are drawn again.
        rng: source of the draws.
    """
    placed: list[np.ndarray] = []
    while len(placed) < count:
        yaw = rng.uniform(-np.pi, np.pi)
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        offset = rng.uniform(-TABLE_SPREAD_M, TABLE_SPREAD_M)
        table = [TABLE_X_M + offset[0], offset[1], rng.uniform(0.0, TABLE_HEIGHT_M)]
        moved = keypoints_m @ turn.T + table
        reach = np.linalg.norm(moved[:, 0, :2], axis=1)
        if reach.min() > NEAREST_M and reach.max() < FARTHEST_M:
            placed.append(moved)
    return placed
