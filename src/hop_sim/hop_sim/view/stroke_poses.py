"""Strokes as upright unit cylinders that are turned, stretched and put in place."""

from __future__ import annotations

import numpy as np

_NO_LENGTH_M = 1e-6  # a stretch by nothing at all has no normals


def stroke_poses(ends_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return poses and lengths that make strokes of cylinders of length 1 about z.

    Args:
        ends_m: (..., 2, 3) where each stroke begins and ends.

    Returns:
        (..., 7) poses, and (...) lengths [m].
    """
    start, end = ends_m[..., 0, :], ends_m[..., 1, :]
    length = np.maximum(np.linalg.norm(end - start, axis=-1), _NO_LENGTH_M)
    x, y, z = np.moveaxis((end - start) / length[..., None], -1, 0)
    # The shortest turn of z onto (x, y, z); from z onto -z it is about x, one of many.
    turn = np.stack([1.0 + z, -y, x, np.zeros_like(x)], axis=-1)
    size = np.linalg.norm(turn, axis=-1, keepdims=True)
    turn = np.where(size < 1e-9, (0.0, 1.0, 0.0, 0.0), turn / np.maximum(size, 1e-9))
    return np.concatenate([(start + end) / 2.0, turn], axis=-1), length
