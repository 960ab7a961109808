"""The recorded clip, turned upright and placed with its table before the robot."""

from __future__ import annotations

from pathlib import Path

import numpy as np

TABLE_X_M = 0.65  # source: HOP paper, section IV, Retargeting
# Where a wrist is drawn again: nearer or farther than the arm can serve [m from the base's axis].
NEAREST_M, FARTHEST_M = 0.25, 0.75
TABLE_SPREAD_M = np.array([0.1, 0.15])  # of the table's centre, x and y
TABLE_HEIGHT_M = 0.1  # highest table top above the base


def load_upright(path: Path) -> np.ndarray:
    """Returns the clip's keypoints (T, 21, 3) [m], z up, origin on the table under the object.

    The clip's world is a camera; up is minus the y axis of the object, which stands on the table in
    frame 0.
    """
    with np.load(path) as clip:
        keypoints = clip["keypoints"].astype(np.float64)
        pose = clip["object_poses"][0].astype(np.float64)
        surface = clip["object_vertices"] @ pose[:3, :3].T + pose[:3, 3]
    up = -pose[:3, 1]
    side = np.cross([0.0, 1.0, 0.0], up)
    side /= np.linalg.norm(side)
    upright = np.stack([side, np.cross(up, side), up])
    surface = surface @ upright.T
    origin = np.array([*surface[:, :2].mean(axis=0), surface[:, 2].min()])
    return np.asarray(keypoints @ upright.T - origin)


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
