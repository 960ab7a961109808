"""Rigid poses of point clouds: clouds from poses, and poses from clouds.

A pose is 7 numbers: position x, y, z [m] and unit quaternion w, x, y, z; it maps the object's frame
into the frame that it is given in.
"""

from __future__ import annotations

import numpy as np


def posed(points: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """Return the points of objects at many poses.

    Args:
        points: (N, 3) of one object, or (T, N, 3) of an object for each pose, in its frame [m].
        poses: (T, 7).

    Returns:
        (T, N, 3) float64 in the frame of the poses [m].
    """
    position, w, u = poses[:, None, :3], poses[:, None, 3:4], poses[:, None, 4:]
    points = np.asarray(points, dtype=np.float64)
    turn = 2.0 * np.cross(u, points)
    return np.asarray(position + points + w * turn + np.cross(u, turn))


def fit_poses(points: np.ndarray, clouds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the poses that bring `points` nearest to each of `clouds`, point by point.

    The turn is the eigenvector of the largest eigenvalue of Horn's matrix: the least-squares
    rotation, never a reflection. Each quaternion is on the side of the one before.

    Args:
        points: (N, 3) in the object's frame [m].
        clouds: (T, N, 3) the same points in another frame [m].

    Returns:
        (T, 7) poses, and (T,) the largest distance of a posed point from its counterpart [m].

    Source:
        B. K. P. Horn, Closed-form solution of absolute orientation using unit quaternions, 1987.
    """
    points, clouds = np.asarray(points, np.float64), np.asarray(clouds, np.float64)
    middle, middles = points.mean(axis=0), clouds.mean(axis=1)
    S = np.einsum("ni,tnj->tij", points - middle, clouds - middles[:, None])
    K = np.empty((len(clouds), 4, 4))
    trace = np.trace(S, axis1=1, axis2=2)
    K[:, 0, 0] = trace
    K[:, 0, 1:] = K[:, 1:, 0] = np.stack(
        [S[:, 1, 2] - S[:, 2, 1], S[:, 2, 0] - S[:, 0, 2], S[:, 0, 1] - S[:, 1, 0]], axis=1
    )
    K[:, 1:, 1:] = S + np.swapaxes(S, 1, 2) - trace[:, None, None] * np.eye(3)
    quaternion = np.linalg.eigh(K)[1][:, :, -1]
    quaternion[0] *= 1.0 if quaternion[0, 0] >= 0.0 else -1.0
    flips = np.einsum("ti,ti->t", quaternion[1:], quaternion[:-1]) < 0.0
    quaternion[1:] *= np.where(np.cumsum(flips) % 2 == 1, -1.0, 1.0)[:, None]
    poses = np.concatenate([np.zeros((len(clouds), 3)), quaternion], axis=1)
    poses[:, :3] = middles - posed(middle[None], poses)[:, 0]
    residual = np.linalg.norm(posed(points, poses) - clouds, axis=2).max(axis=1)
    return poses, residual
