"""The 21 keypoints of a hand and what they tell: size, bones, palm, side."""

from __future__ import annotations

import numpy as np

# OpenPose order: the wrist, then thumb, index, middle, ring and little finger from root to tip.
# Source: DexYCB's joint_3d, HaMeR's pred_keypoints_3d and MediaPipe's hand landmarks all use it.
KEYPOINTS = 21
WRIST = 0
THUMB_ROOT = 1
KNUCKLES = (5, 9, 13, 17)  # metacarpophalangeal joints, index to little finger
INDEX_KNUCKLE, MIDDLE_KNUCKLE, LITTLE_KNUCKLE = 5, 9, 17
TIPS = (4, 8, 12, 16, 20)
BONES = tuple(
    (finger + bone - 1 if bone else WRIST, finger + bone)
    for finger in (1, 5, 9, 13, 17)
    for bone in range(4)
)


def bone_lengths_m(keypoints_m: np.ndarray) -> np.ndarray:
    """Return (T, 20) lengths of BONES in `keypoints_m` (T, 21, 3)."""
    start, end = np.array(BONES).T
    return np.asarray(np.linalg.norm(keypoints_m[:, end] - keypoints_m[:, start], axis=-1))


def palm_lengths_m(keypoints_m: np.ndarray) -> np.ndarray:
    """Return (T,) distances from the wrist to the middle knuckle of `keypoints_m` (T, 21, 3)."""
    along = keypoints_m[:, MIDDLE_KNUCKLE] - keypoints_m[:, WRIST]
    return np.asarray(np.linalg.norm(along, axis=-1))


def palm_normals(keypoints_m: np.ndarray) -> np.ndarray:
    """Return unit vectors (T, 3) out of the palm of a *right* hand (T, 21, 3).

    Index and little knuckle span the palm with the wrist; a left hand gives the back's direction.
    """
    wrist = keypoints_m[:, WRIST]
    normal = np.cross(keypoints_m[:, INDEX_KNUCKLE] - wrist, keypoints_m[:, LITTLE_KNUCKLE] - wrist)
    return np.asarray(normal / np.linalg.norm(normal, axis=-1, keepdims=True))


def palm_frames(keypoints_m: np.ndarray) -> np.ndarray:
    """Return rotations (T, 3, 3) of the palm of `keypoints_m` (T, 21, 3).

    Columns: `palm_normals`, to the index finger's side, from the wrist to the middle knuckle.
    """
    normal = palm_normals(keypoints_m)
    along = keypoints_m[:, MIDDLE_KNUCKLE] - keypoints_m[:, WRIST]
    along = along - np.einsum("ti,ti->t", along, normal)[:, None] * normal
    along = along / np.linalg.norm(along, axis=-1, keepdims=True)
    return np.stack([normal, np.cross(along, normal), along], axis=-1)


def right_handedness(keypoints_m: np.ndarray) -> float:
    """Return how far fingers and thumb of (T, 21, 3) go to a right hand's palm.

    Fingers bend towards the palm only, and the thumb stands before it. Each finger's turn from its
    first to its last bone, and the thumb's direction from root to tip, are projected on
    `palm_normals`. The mean is positive in a right hand and the same but negative in a left one.
    """
    normals = palm_normals(keypoints_m)
    signs = [_directions(keypoints_m, THUMB_ROOT, TIPS[0])]
    signs += [
        _directions(keypoints_m, knuckle + 2, knuckle + 3)
        - _directions(keypoints_m, knuckle, knuckle + 1)
        for knuckle in KNUCKLES
    ]
    return float(np.mean([np.einsum("ti,ti->t", sign, normals) for sign in signs]))


def _directions(keypoints_m: np.ndarray, start: int, end: int) -> np.ndarray:
    """Unit vectors (T, 3) from one keypoint to another."""
    along = keypoints_m[:, end] - keypoints_m[:, start]
    return np.asarray(along / np.linalg.norm(along, axis=-1, keepdims=True))
