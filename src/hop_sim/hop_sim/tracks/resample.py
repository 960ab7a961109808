"""A track at the policy's rate: smoothed, resampled by its stamps and slowed down."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import load_embodiment
from hop_core.errors import TrackError
from hop_sim.tracks.config import FilterConfig
from hop_sim.tracks.contact import contact_frames
from hop_sim.tracks.keypoints import MIDDLE_KNUCKLE
from hop_sim.tracks.smoothing import operator, smooth_points, smooth_poses
from hop_sim.tracks.structure import FEWEST_FRAMES
from hop_sim.tracks.track import Track

_CHECK_HZ = 60.0  # speeds are looked for on a finer grid than the policy's


@dataclass(frozen=True)
class Track20:
    """The longest valid stretch of a track in steps of the policy, N of them; all values finite.

    Attributes:
        name, object_name: the track's.
        time_s: (N,) from 0 in equal steps.
        source_s: (N,) the same times in the track, since its first frame; time_scale times denser.
        time_scale: how much slower than seen.
        keypoints_m: (N, 21, 3) in the table frame.
        T_table_object: (N, 4, 4).
        object_points_m: (P, 3) in the object's frame.
        contact: (N,) whether a fingertip touches the object.
    """

    name: str
    object_name: str
    time_s: np.ndarray
    source_s: np.ndarray
    time_scale: float
    keypoints_m: np.ndarray
    T_table_object: np.ndarray
    object_points_m: np.ndarray
    contact: np.ndarray


def resample(
    track: Track, filters: FilterConfig, time_scale: float | None = None, hz: float | None = None
) -> Track20:
    """Return the longest valid stretch of `track`, smoothed, in steps of 1 / hz.

    Args:
        track: any.
        filters: smoothing and contact distance.
        time_scale: how much slower than seen; default: the track's own.
        hz: steps per second; default: the policy's rate.

    Raises:
        TrackError: no stretch of valid frames is long enough to fit a polynomial through.
    """
    scale = track.meta.time_scale if time_scale is None else time_scale
    step_s = 1.0 / (hz or load_embodiment().rates.policy_hz)
    stamps_s = _stretch_stamps(track)
    steps = int(np.floor((stamps_s[-1] - stamps_s[0]) * scale / step_s + 1e-6)) + 1
    time_s = np.arange(steps) * step_s
    at_s = np.minimum(stamps_s[0] + time_s / scale, stamps_s[-1])
    smooth = operator(stamps_s, at_s, filters)
    keypoints = smooth_points(smooth, track.keypoints_m[track.stretch].astype(np.float64))
    T_table_object = smooth_poses(smooth, track.T_table_object[track.stretch])
    return Track20(
        name=track.name,
        object_name=track.object_name,
        time_s=time_s,
        source_s=at_s,
        time_scale=scale,
        keypoints_m=keypoints,
        T_table_object=T_table_object,
        object_points_m=track.object_points_m,
        contact=contact_frames(keypoints, T_table_object, track.object_points_m, filters.contact_m),
    )


def palm_speed_m_s(track: Track, filters: FilterConfig) -> float:
    """Return the fastest that the smoothed middle knuckle moves, without slowing down.

    Raises:
        TrackError: no stretch of valid frames is long enough.
    """
    stamps_s = _stretch_stamps(track)
    count = max(2, int((stamps_s[-1] - stamps_s[0]) * _CHECK_HZ))
    at_s = np.linspace(stamps_s[0], stamps_s[-1], count)
    knuckle = track.keypoints_m[track.stretch, MIDDLE_KNUCKLE].astype(np.float64)
    course = smooth_points(operator(stamps_s, at_s, filters), knuckle)
    speed = np.linalg.norm(np.diff(course, axis=0), axis=1) / np.diff(at_s)
    return float(speed.max())


def time_scale_for(palm_speed_m_s: float, filters: FilterConfig) -> float:
    """Return the smallest time scale >= 1 at which a palm so fast keeps the speed limit."""
    needed = palm_speed_m_s / filters.palm_speed_m_s
    if needed <= 1.0:
        return 1.0
    step = filters.time_scale_step
    return round(float(np.ceil(needed / step - 1e-9) * step), 6)


def _stretch_stamps(track: Track) -> np.ndarray:
    """Times of the longest valid stretch, (n,) [s]."""
    stamps_s = track.stamps_s[track.stretch]
    if len(stamps_s) < FEWEST_FRAMES:
        raise TrackError(
            f"{track.name}: valid: the longest stretch of valid frames has {len(stamps_s)} frames, "
            f"at least {FEWEST_FRAMES} are needed"
        )
    return stamps_s
