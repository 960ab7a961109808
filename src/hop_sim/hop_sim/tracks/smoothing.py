"""Smoothing and resampling in one: a local polynomial through the frames near each time."""

from __future__ import annotations

import numpy as np

from hop_sim.tracks.config import FilterConfig
from hop_sim.tracks.rigid import pose, quaternions, rotations


def local_polynomial(
    stamps_s: np.ndarray, at_s: np.ndarray, half_window_s: float, order: int
) -> np.ndarray:
    """Return the matrix (N, T) that takes values at `stamps_s` to smooth values at `at_s`.

    At each time a polynomial is fitted by least squares to the frames within the half window, with
    tricube weights, and read off. Polynomials up to `order` pass unchanged, however the stamps are
    spread, up to the ends of the track. Where the window holds too few frames it is widened to the
    nearest order + 2.

    Args:
        stamps_s: (T,) increasing times of the frames, T > order + 1.
        at_s: (N,) times that are asked for, within the frames' time.
        half_window_s: half the width of the window.
        order: of the polynomial.

    Source:
        Cleveland 1979, Robust Locally Weighted Regression (the weights and the widening).
    """
    offset = stamps_s[None, :] - at_s[:, None]
    distance = np.abs(offset)
    nearest = np.partition(distance, order + 1, axis=1)[:, order + 1]
    reach = np.maximum(half_window_s, nearest * (1.0 + 1e-3))[:, None]
    weight = np.clip(1.0 - (distance / reach) ** 3, 0.0, None) ** 3
    powers = (offset / reach)[..., None] ** np.arange(order + 1)  # (N, T, order + 1)
    weighted = powers * weight[..., None]
    normal = np.einsum("ntp,ntq->npq", weighted, powers)
    constant = np.zeros((len(at_s), order + 1, 1))
    constant[:, 0] = 1.0
    return np.asarray(np.einsum("ntp,np->nt", weighted, np.linalg.solve(normal, constant)[..., 0]))


def operator(stamps_s: np.ndarray, at_s: np.ndarray, filters: FilterConfig) -> np.ndarray:
    """Return `local_polynomial` (N, T) with the configured window."""
    return local_polynomial(
        stamps_s, at_s, filters.smooth_half_window_s, min(filters.smooth_order, len(stamps_s) - 2)
    )


def smooth_points(operator: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return `points` (T, ...) taken through `operator` (N, T): (N, ...)."""
    return np.asarray(np.tensordot(operator, points, axes=1))


def smooth_poses(operator: np.ndarray, T: np.ndarray) -> np.ndarray:
    """Return poses (T, 4, 4) taken through `operator` (N, T): (N, 4, 4).

    Rotations as quaternions, made unit again: within the window a hand turns by far less than 90°.
    """
    q = operator @ quaternions(T[:, :3, :3])
    return pose(rotations(q), operator @ T[:, :3, 3])
