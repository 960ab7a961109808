"""A track at the policy's rate: smoothed, resampled by its stamps, and paced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import load_embodiment
from hop_sim.tracks.config import FilterConfig
from hop_sim.tracks.contact import contact_frames
from hop_sim.tracks.pacing import pace, stretch_stamps
from hop_sim.tracks.smoothing import operator, smooth_points, smooth_poses
from hop_sim.tracks.track import Track


@dataclass(frozen=True)
class Track20:
    """The longest valid stretch of a track in steps of the policy, N of them; all values finite.

    Attributes:
        name, object_name: the track's.
        time_s: (N,) from 0 in equal steps.
        source_s: (N,) when each was seen, since the track's first frame.
        time_scale: how many times longer it is played than it took.
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


def resample(track: Track, filters: FilterConfig) -> Track20:
    """Return the longest valid stretch of `track`, smoothed, paced, in steps of the policy.

    Args:
        track: any.
        filters: smoothing, pace and contact distance.

    Raises:
        TrackError: no stretch of valid frames is long enough to fit a polynomial through.
    """
    step_s = 1.0 / load_embodiment().rates.policy_hz
    paced = pace(track, filters)
    steps = int(np.floor(paced.played_s[-1] / step_s + 1e-6)) + 1
    time_s = np.arange(steps) * step_s
    at_s = np.interp(time_s, paced.played_s, paced.seen_s)
    smooth = operator(stretch_stamps(track), at_s, filters)
    keypoints = smooth_points(smooth, track.keypoints_m[track.stretch].astype(np.float64))
    T_table_object = smooth_poses(smooth, track.T_table_object[track.stretch])
    return Track20(
        name=track.name,
        object_name=track.object_name,
        time_s=time_s,
        source_s=at_s,
        time_scale=paced.time_scale,
        keypoints_m=keypoints,
        T_table_object=T_table_object,
        object_points_m=track.object_points_m,
        contact=contact_frames(keypoints, T_table_object, track.object_points_m, filters.contact_m),
    )
