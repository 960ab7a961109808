"""What the quality record of a track holds, measured on its arrays."""

from __future__ import annotations

import numpy as np

from hop_sim.tracks.config import TracksConfig
from hop_sim.tracks.contact import distances_m
from hop_sim.tracks.keypoints import (
    MIDDLE_KNUCKLE,
    TIPS,
    WRIST,
    bone_lengths_m,
    palm_lengths_m,
    right_handedness,
)
from hop_sim.tracks.pacing import pace
from hop_sim.tracks.quality import Quality
from hop_sim.tracks.rigid import transform
from hop_sim.tracks.smoothing import operator, smooth_points
from hop_sim.tracks.track import Track

_MOVED_M = 0.005  # an object is at rest until it has moved so far


def measure(track: Track, config: TracksConfig) -> Quality:
    """Return the figures of `track` that its arrays show.

    Filled frames, gaps and cameras are known to whoever made the track; they are taken from its
    present record.

    Raises:
        TrackError: it has no stretch of valid frames that is long enough to be measured.
    """
    valid = track.valid
    keypoints = track.keypoints_m[valid].astype(np.float64)
    poses = track.T_table_object[valid]
    bones = bone_lengths_m(keypoints)
    apart = distances_m(keypoints, poses, track.object_points_m, (*TIPS, WRIST, MIDDLE_KNUCKLE))
    lowest = transform(poses, track.object_points_m.astype(np.float64))[..., 2].min(axis=1)
    stretch_s = track.stamps_s[track.stretch]
    limits, speed = config.limits, float(pace(track, config.filters).palm_speed_m_s.max())
    return track.meta.quality.model_copy(
        update={
            "frames": len(valid),
            "valid_share": round(float(valid.mean()), 4),
            "stretch_s": round(float(stretch_s[-1] - stretch_s[0]) if len(stretch_s) else 0.0, 4),
            "palm_length_m": round(float(np.median(palm_lengths_m(keypoints))), 5),
            "bone_variation": round(float((bones.std(axis=0) / bones.mean(axis=0)).max()), 5),
            "right_handedness": round(right_handedness(keypoints), 4),
            "shake_m": round(_shake_m(track, config), 6),
            "palm_speed_m_s": round(speed, 4),
            "object_size_m": round(float(np.linalg.norm(np.ptp(track.object_points_m, axis=0))), 5),
            "closest_m": round(float(apart.min()), 5),
            "contact_share": round(
                float((apart[:, : len(TIPS)].min(axis=1) <= config.filters.contact_m).mean()), 4
            ),
            "rest_height_m": round(float(np.median(lowest[: resting_frames(poses)])), 5),
            "lowest_m": round(float(lowest.min()), 5),
            "workspace_s": round(_workspace_s(track, config), 4),
            "untouched_drift_m": round(_drift_m(poses, apart.min(axis=1) > limits.untouched_m), 5),
        }
    )


def unmeasured(**known: int | float | None) -> Quality:
    """Return a record with `known` figures, all others 0, for `measure` to complete."""
    blank = {name: 0 for name, field in Quality.model_fields.items() if field.is_required()}
    return Quality.model_validate({**blank, **known})


def resting_frames(poses: np.ndarray) -> int:
    """Return how many of the first `poses` (T, 4, 4) show the object where it was at first."""
    moved = np.linalg.norm(poses[:, :3, 3] - poses[0, :3, 3], axis=1) > _MOVED_M
    return int(np.argmax(moved)) if moved.any() else len(poses)


def _shake_m(track: Track, config: TracksConfig) -> float:
    stamps_s = track.stamps_s[track.stretch]
    keypoints = track.keypoints_m[track.stretch].astype(np.float64)
    smooth = smooth_points(operator(stamps_s, stamps_s, config.filters), keypoints)
    return float(np.sqrt(((keypoints - smooth) ** 2).sum(axis=-1).mean()))


def _workspace_s(track: Track, config: TracksConfig) -> float:
    """Time that middle knuckle and object are in the workspace together [s]."""
    limits = config.limits
    low, high = limits.workspace_height_m
    inside = track.valid.copy()
    for place in (track.keypoints_m[:, MIDDLE_KNUCKLE], track.T_table_object[:, :3, 3]):
        with np.errstate(invalid="ignore"):
            inside &= np.hypot(place[:, 0], place[:, 1]) <= limits.workspace_radius_m
            inside &= (place[:, 2] >= low) & (place[:, 2] <= high)
    return float(inside.sum() / track.fps)


def _drift_m(poses: np.ndarray, untouched: np.ndarray) -> float:
    """Farthest that the object gets from where an untouched stretch of frames began [m]."""
    farthest, start = 0.0, None
    for position, away in zip(poses[:, :3, 3], untouched, strict=True):
        start = None if not away else position if start is None else start
        if start is not None:
            farthest = max(farthest, float(np.linalg.norm(position - start)))
    return farthest
