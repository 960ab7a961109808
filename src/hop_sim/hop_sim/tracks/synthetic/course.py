"""Courses in time: minimum-jerk movements, poses between poses, errors that drift."""

from __future__ import annotations

import numpy as np

from hop_sim.tracks.rigid import pose, quaternions, rotations, slerp

# Peak over mean speed of a minimum-jerk movement. Source: Flash and Hogan 1985.
PEAK = 1.875


def minimum_jerk(share: np.ndarray) -> np.ndarray:
    """Return how much of the way is done (T,) at `share` (T,) of the time, clipped to 0..1."""
    s = np.clip(share, 0.0, 1.0)
    return np.asarray(s**3 * (10.0 - 15.0 * s + 6.0 * s**2))


def duration_s(way: float, peak: float, least_s: float) -> float:
    """Return how long a minimum-jerk movement of `way` with speed `peak` takes."""
    return max(least_s, PEAK * way / peak)


def turned(rotation_a: np.ndarray, rotation_b: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return rotations (T, 3, 3) at `share` (T,) of the shorter turn from a to b (3, 3)."""
    a = np.repeat(quaternions(rotation_a[None]), len(share), axis=0)
    b = np.repeat(quaternions(rotation_b[None]), len(share), axis=0)
    return rotations(slerp(a, b, share))


def bezier(points: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return (T, 3) on the cubic Bezier curve of `points` (4, 3) at `share` (T,)."""
    s = share[:, None]
    weights = np.concatenate([(1 - s) ** 3, 3 * s * (1 - s) ** 2, 3 * s**2 * (1 - s), s**3], axis=1)
    return np.asarray(weights @ points)


def bezier_length(points: np.ndarray) -> float:
    """Return the length of that curve."""
    curve = bezier(points, np.linspace(0.0, 1.0, 33))
    return float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum())


def drift(
    count: int, channels: int, step_s: float, memory_s: float, rng: np.random.Generator
) -> np.ndarray:
    """Return (count, channels) of a stationary first-order process of deviation 1."""
    keep = np.exp(-step_s / memory_s)
    fresh = rng.standard_normal((count, channels)) * np.sqrt(1.0 - keep**2)
    out = np.empty((count, channels))
    out[0] = rng.standard_normal(channels)
    for i in range(1, count):
        out[i] = keep * out[i - 1] + fresh[i]
    return out


def small_poses(shift_m: np.ndarray, turn_rad: np.ndarray) -> np.ndarray:
    """Return poses (T, 4, 4) of small shifts (T, 3) and small turns (T, 3) about x, y, z."""
    q = np.concatenate([np.ones((len(turn_rad), 1)), turn_rad / 2.0], axis=1)
    return pose(rotations(q), shift_m)
