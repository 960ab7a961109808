"""Rigid transforms of many frames at once: (T, 4, 4) matrices, unit quaternions (w, x, y, z)."""

from __future__ import annotations

import numpy as np

_ORTHONORMAL = 1e-3  # labels are float32 and some went through text


def rotation_about(axis: np.ndarray, angle_rad: np.ndarray | float) -> np.ndarray:
    """Return the rotations (..., 3, 3) by `angle_rad` (...) about the unit vector `axis` (3,)."""
    x, y, z = axis
    skew = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.asarray(angle_rad, dtype=np.float64)[..., None, None]
    return np.asarray(np.eye(3) + np.sin(angle) * skew + (1.0 - np.cos(angle)) * (skew @ skew))


def pose(rotation: np.ndarray, position_m: np.ndarray) -> np.ndarray:
    """Return (..., 4, 4) of `rotation` (..., 3, 3) and `position_m` (..., 3)."""
    shape = np.broadcast_shapes(rotation.shape[:-2], position_m.shape[:-1])
    out = np.zeros((*shape, 4, 4))
    out[..., :3, :3], out[..., :3, 3], out[..., 3, 3] = rotation, position_m, 1.0
    return out


def inverse(T: np.ndarray) -> np.ndarray:
    """Return the inverse of rigid `T` (..., 4, 4)."""
    rotation = np.swapaxes(T[..., :3, :3], -1, -2)
    return pose(rotation, -np.einsum("...ij,...j->...i", rotation, T[..., :3, 3]))


def transform(T: np.ndarray, points_m: np.ndarray) -> np.ndarray:
    """Return the points (..., N, 3) mapped by `T` (..., 4, 4)."""
    rotation = np.swapaxes(T[..., :3, :3], -1, -2)
    return np.asarray(points_m @ rotation + T[..., None, :3, 3])


def is_rigid(T: np.ndarray) -> np.ndarray:
    """Return (...) whether each `T` (..., 4, 4) is a rotation and a translation."""
    rotation = T[..., :3, :3]
    square = rotation @ np.swapaxes(rotation, -1, -2) - np.eye(3)
    orthonormal = np.abs(square).max(axis=(-1, -2)) < _ORTHONORMAL
    last_row = np.abs(T[..., 3, :] - (0.0, 0.0, 0.0, 1.0)).max(axis=-1) < _ORTHONORMAL
    return np.asarray(orthonormal & last_row & (np.linalg.det(rotation) > 0.0))


def quaternions(rotation: np.ndarray) -> np.ndarray:
    """Return unit quaternions (T, 4) of `rotation` (T, 3, 3), each on the side of the one before.

    Row k of the 4 x 4 matrix K below is 4 q_k q, so that the row with the largest diagonal gives q
    without loss of digits.
    """
    m = rotation
    diagonal = np.stack([m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]], axis=1)
    K = np.empty((len(m), 4, 4))
    K[:, 0, 0] = 1.0 + diagonal.sum(axis=1)
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        K[:, i + 1, i + 1] = 1.0 + 2.0 * diagonal[:, i] - diagonal.sum(axis=1)
        K[:, 0, i + 1] = K[:, i + 1, 0] = m[:, k, j] - m[:, j, k]
        K[:, j + 1, k + 1] = K[:, k + 1, j + 1] = m[:, k, j] + m[:, j, k]
    row = np.argmax(np.diagonal(K, axis1=1, axis2=2), axis=1)
    q = K[np.arange(len(m)), row]
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    flips = np.einsum("ti,ti->t", q[1:], q[:-1]) < 0.0
    q[1:] *= np.where(np.cumsum(flips) % 2 == 1, -1.0, 1.0)[:, None]
    return np.asarray(q)


def rotations(q: np.ndarray) -> np.ndarray:
    """Return the matrices (T, 3, 3) of quaternions `q` (T, 4) of any length but zero."""
    w, x, y, z = (q / np.linalg.norm(q, axis=-1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def slerp(a: np.ndarray, b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return quaternions (T, 4) at `share` (T,) of the shorter way from `a` to `b` (T, 4)."""
    cosine = np.einsum("ti,ti->t", a, b)
    b = np.where(cosine[:, None] < 0.0, -b, b)
    angle = np.arccos(np.clip(np.abs(cosine), 0.0, 1.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        weight_a = np.sin((1.0 - share) * angle) / np.sin(angle)
        weight_b = np.sin(share * angle) / np.sin(angle)
    close = angle < 1e-6
    weight_a, weight_b = np.where(close, 1.0 - share, weight_a), np.where(close, share, weight_b)
    return np.asarray(weight_a[:, None] * a + weight_b[:, None] * b)
