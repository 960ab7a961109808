"""The value of Eq. 1, and how far a posture is from the hand: keypoint error and palm angle."""

from __future__ import annotations

import numpy as np

from hop_core.retargeting.config import RetargetConfig

WRIST, INDEX_ROOT, MIDDLE_ROOT, LITTLE_ROOT = 0, 5, 9, 17  # keypoints, OpenPose order


def eq1_cost(
    x_h: np.ndarray, points: np.ndarray, a: np.ndarray, phi: np.ndarray, config: RetargetConfig
) -> np.ndarray:
    """Return 1/2 sum_k w_k |x_k - f_k(a)|^2 + lambda |a - phi|^2, (B,) [m^2].

    Args:
        x_h: (B, K, 3) goals in base_link [m].
        points: (B, K, 3) the robot's points f(a) in base_link [m].
        a: (B, 23) joint targets [rad].
        phi: (B, 23) present joint angles [rad].
        config: weights and lambda.

    Source: HOP paper, Eq. 1; the weights w_k are ours, 1 in the paper, as is the arm's factor on
    lambda.
    """
    miss = ((x_h - points) ** 2).sum(axis=-1) @ config.weights
    lag = ((a - phi) ** 2) @ config.lambdas
    return np.asarray(0.5 * miss + lag)


def keypoint_error_m(x_h: np.ndarray, points: np.ndarray, config: RetargetConfig) -> np.ndarray:
    """Return the mean distance of the scored points from their goals, (...) [m].

    Args:
        x_h: (..., K, 3) goals in base_link [m].
        points: (..., K, 3) the robot's points in base_link [m].
        config: which points are scored.
    """
    distance = np.linalg.norm(x_h - points, axis=-1)
    return np.asarray(distance[..., config.scored].mean(axis=-1))


def palm_angle_rad(keypoints_m: np.ndarray, palm_normal: np.ndarray) -> np.ndarray:
    """Return the angle between the normals of the human and the robot's palm, (T,) [rad].

    The human normal stands on the line from wrist to middle root and on that from little finger's
    to index root; both normals point to where the fingers bend.

    Args:
        keypoints_m: (T, 21, 3) of a right hand [m], OpenPose order.
        palm_normal: (T, 3) x axis of the robot's palm, in the frame of the keypoints.
    """
    fingers = keypoints_m[:, MIDDLE_ROOT] - keypoints_m[:, WRIST]
    across = keypoints_m[:, INDEX_ROOT] - keypoints_m[:, LITTLE_ROOT]
    normal = np.cross(across, fingers)
    cosine = (normal * palm_normal).sum(axis=1) / np.linalg.norm(normal, axis=1)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)))
