"""Where the table is, when only the direction up is known and an object that stands on it."""

from __future__ import annotations

import numpy as np

from hop_core.errors import TrackError
from hop_sim.tracks.measure import resting_frames
from hop_sim.tracks.rigid import pose, transform

_HORIZONTAL_M = 0.01  # a hand less far aside tells no direction


def table_frame(
    up: np.ndarray,
    T_world_object: np.ndarray,
    object_points_m: np.ndarray,
    wrist_m: np.ndarray,
) -> np.ndarray:
    """Return T_table_world (4, 4).

    z is up; the table's top is the object's lowest point while it rests at the beginning; the
    origin lies under the object's middle in the first frame; x points from the person to the
    object: from the wrist, where it is farthest aside, to the origin.

    Args:
        up: (3,) in the world frame, of any length but 0.
        T_world_object: (T, 4, 4); the object stands on the table in the first frame.
        object_points_m: (P, 3) in the object's frame.
        wrist_m: (N, 3) in the world frame.
    """
    z = up / np.linalg.norm(up)
    points = transform(T_world_object[: resting_frames(T_world_object)], object_points_m)
    height_m = float(np.median((points @ z).min(axis=1)))
    middle = points[0].mean(axis=0)
    origin = middle + (height_m - middle @ z) * z
    aside = wrist_m - origin
    aside = aside - np.outer(aside @ z, z)
    distance = np.linalg.norm(aside, axis=1)
    x = -aside[np.argmax(distance)]
    if distance.max() < _HORIZONTAL_M:
        x = np.eye(3)[np.argmin(np.abs(z))]
    x = x - (x @ z) * z
    x /= np.linalg.norm(x)
    rotation = np.stack([x, np.cross(z, x), z])
    return pose(rotation, -rotation @ origin)


def up_vector(text: str, T_world_object: np.ndarray) -> np.ndarray:
    """Return the direction up (3,) in the world frame that `text` describes.

    Args:
        text: three numbers with commas, in the world frame, or one of +x -x +y -y +z -z: that axis
            of the object in the first frame.
        T_world_object: (T, 4, 4).

    Raises:
        TrackError: it is neither.
    """
    sign, axis = text[:1], "xyz".find(text[1:2])
    if len(text) == 2 and sign in "+-" and axis >= 0:
        return np.asarray((1.0 if sign == "+" else -1.0) * T_world_object[0, :3, axis])
    try:
        up = np.array([float(number) for number in text.split(",")])
    except ValueError:
        up = np.zeros(0)
    if up.shape != (3,) or not np.isfinite(up).all() or not up.any():
        raise TrackError(
            f"--up: must be three numbers such as 0,-1,0, or an axis of the object in the first "
            f"frame such as -y, got {text!r}"
        )
    return up
