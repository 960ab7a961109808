"""Short gaps of a track, bridged by interpolation between the frames beside them."""

from __future__ import annotations

import numpy as np

from hop_sim.tracks.rigid import pose, quaternions, rotations, slerp


def bridged(stamps_s: np.ndarray, known: np.ndarray, max_gap_s: float) -> np.ndarray:
    """Return (T,) which frames are known or lie in a gap that may be bridged.

    Args:
        stamps_s: (T,) increasing times [s].
        known: (T,) bool.
        max_gap_s: longest time between the two known frames beside a gap. What comes before the
            first known frame or after the last is no gap and is never bridged.
    """
    before, after = _neighbours(known)
    inside = (before >= 0) & (after < len(known))
    span_s = np.full(len(known), np.inf)
    span_s[inside] = stamps_s[after[inside]] - stamps_s[before[inside]]
    return np.asarray(known | (span_s <= max_gap_s * (1.0 + 1e-9)))


def after_holes(stamps_s: np.ndarray, max_gap_s: float) -> np.ndarray:
    """Return (T,) which frames come later than `max_gap_s` after the one before them.

    Where frames are missing altogether no row says that nothing was seen.
    """
    return np.diff(stamps_s, prepend=stamps_s[0]) > max_gap_s * (1.0 + 1e-9)


def longest_gap_s(stamps_s: np.ndarray, known: np.ndarray) -> float:
    """Return the longest time between two known frames with unknown ones between them, or 0."""
    frames = np.flatnonzero(known)
    gaps = np.diff(frames) > 1
    return float(np.diff(stamps_s[frames])[gaps].max(initial=0.0))


def fill_points(
    stamps_s: np.ndarray, points: np.ndarray, known: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Return `points` (T, ...) with the frames that are `wanted` but not `known` interpolated.

    Linear in time; frames that are neither are NaN. Each wanted frame lies between known ones.
    """
    out = np.full(points.shape, np.nan, dtype=np.float64)
    out[known] = points[known]
    before, after, share = _between(stamps_s, known, wanted)
    share = share.reshape(-1, *[1] * (points.ndim - 1))
    out[wanted & ~known] = points[before] + share * (points[after] - points[before])
    return out


def fill_poses(
    stamps_s: np.ndarray, T: np.ndarray, known: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
    """Return poses (T, 4, 4) with gaps interpolated: positions linearly, rotations by slerp."""
    out = np.full(T.shape, np.nan, dtype=np.float64)
    out[known] = T[known]
    before, after, share = _between(stamps_s, known, wanted)
    if len(share):
        q = slerp(quaternions(T[before, :3, :3]), quaternions(T[after, :3, :3]), share)
        position = T[before, :3, 3] + share[:, None] * (T[after, :3, 3] - T[before, :3, 3])
        out[wanted & ~known] = pose(rotations(q), position)
    return out


def _neighbours(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Known frame at or before each frame (-1: none), and at or after it (T: none)."""
    frames = np.arange(len(known))
    before = np.maximum.accumulate(np.where(known, frames, -1))
    after = np.minimum.accumulate(np.where(known, frames, len(known))[::-1])[::-1]
    return before, after


def _between(
    stamps_s: np.ndarray, known: np.ndarray, wanted: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each frame to fill: the known frames beside it, and its share of the way between them."""
    before, after = (each[wanted & ~known] for each in _neighbours(known))
    at = stamps_s[wanted & ~known]
    return before, after, (at - stamps_s[before]) / (stamps_s[after] - stamps_s[before])
