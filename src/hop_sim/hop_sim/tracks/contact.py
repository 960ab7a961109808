"""How near the hand is to the object, and in which frames it touches it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hop_sim.tracks.keypoints import TIPS
from hop_sim.tracks.rigid import inverse, transform

_FRAMES_AT_ONCE = 32  # keeps the table of distances small


def distances_m(
    keypoints_m: np.ndarray,
    T_table_object: np.ndarray,
    object_points_m: np.ndarray,
    which: Sequence[int] = TIPS,
) -> np.ndarray:
    """Return (T, len(which)) distances of keypoints from the nearest point of the object.

    Args:
        keypoints_m: (T, 21, 3).
        T_table_object: (T, 4, 4) in the same frame.
        object_points_m: (P, 3) on the surface, in the object's frame. With P points on an area A a
            distance of 0 reads as up to about sqrt(A / P).
        which: keypoints that are asked for.
    """
    local = transform(inverse(T_table_object), keypoints_m[:, list(which)])
    points = object_points_m.astype(np.float64)
    squares = (points**2).sum(axis=1)
    out = np.empty(local.shape[:2])
    for start in range(0, len(local), _FRAMES_AT_ONCE):
        part = local[start : start + _FRAMES_AT_ONCE]
        apart = (part**2).sum(axis=2)[..., None] - 2.0 * part @ points.T + squares
        out[start : start + _FRAMES_AT_ONCE] = np.sqrt(np.maximum(apart.min(axis=2), 0.0))
    return out


def contact_frames(
    keypoints_m: np.ndarray,
    T_table_object: np.ndarray,
    object_points_m: np.ndarray,
    contact_m: float,
) -> np.ndarray:
    """Return (T,) whether any fingertip is within `contact_m` of the object."""
    apart = distances_m(keypoints_m, T_table_object, object_points_m)
    return np.asarray(apart.min(axis=1) <= contact_m)
