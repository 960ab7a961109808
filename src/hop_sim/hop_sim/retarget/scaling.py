"""Tracks at another size: hand and object about the same point, so that tips stay on the object."""

from __future__ import annotations

from dataclasses import replace

from hop_sim.tracks.track import Track


def scaled(track: Track, scale: float) -> Track:
    """Return `track` with hand and object `scale` times as large about the table frame's origin.

    The table top stays where it is. At scale 1 it is the same track.
    """
    if scale == 1.0:
        return track
    T_table_object = track.T_table_object.copy()
    T_table_object[:, :3, 3] *= scale
    return replace(
        track,
        keypoints_m=(scale * track.keypoints_m).astype(track.keypoints_m.dtype),
        object_points_m=(scale * track.object_points_m).astype(track.object_points_m.dtype),
        T_table_object=T_table_object,
        T_table_cam=None,  # it saw the track as it was
    )
