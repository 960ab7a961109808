"""Makes a track of what a recording shows frame by frame: gaps bridged, measured, slowed down."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hop_core.errors import TrackError
from hop_sim.tracks.config import TracksConfig
from hop_sim.tracks.gaps import after_holes, bridged, fill_points, fill_poses, longest_gap_s
from hop_sim.tracks.measure import measure, unmeasured
from hop_sim.tracks.pacing import pace
from hop_sim.tracks.structure import (
    FEWEST_FRAMES,
    require_bones,
    require_finite,
    require_rigid,
)
from hop_sim.tracks.track import Intrinsics, Track, TrackMeta, longest_run


@dataclass(frozen=True)
class Sighting:
    """What was seen of one hand and one object, T frames, in the table frame.

    Attributes:
        stamps_ns: (T,) increasing.
        keypoints_m: (T, 21, 3).
        hand_seen: (T,) bool; elsewhere keypoints are any value.
        T_table_object: (T, 4, 4).
        object_seen: (T,) bool; elsewhere poses are any value.
        object_points_m: (P, 3) on the surface, in the object's frame.
        intrinsics, T_table_cam: of the camera, if known.
        camera_disagreement_m: between cameras that see the same hand, if there are several.
        bystander_drift_m: of the steadiest other object, if there are others.
    """

    stamps_ns: np.ndarray
    keypoints_m: np.ndarray
    hand_seen: np.ndarray
    T_table_object: np.ndarray
    object_seen: np.ndarray
    object_points_m: np.ndarray
    intrinsics: Intrinsics | None = None
    T_table_cam: np.ndarray | None = None
    camera_disagreement_m: float | None = None
    bystander_drift_m: float | None = None


@dataclass(frozen=True)
class Origin:
    """Where a sighting comes from; the fields are those of `TrackMeta` and `Track`."""

    name: str
    object_name: str
    source: str
    subject: str
    scale_source: str
    settings: str
    provenance: dict[str, str | int | float]
    synthetic: bool = False
    handled: bool = True


def assemble(sighting: Sighting, origin: Origin, config: TracksConfig, where: str) -> Track:
    """Return the track of `sighting`: filled over short gaps, with quality record and time scale.

    Raises:
        TrackError: values are not finite where they are said to be seen, two joints of a bone are
            one point, or the frames with hand and object are too few to be measured.
    """
    require_finite(sighting.keypoints_m, sighting.hand_seen, where, "keypoints")
    require_finite(sighting.T_table_object, sighting.object_seen, where, "object poses")
    require_rigid(sighting.T_table_object, sighting.object_seen, where, "object poses")
    require_bones(sighting.keypoints_m, sighting.hand_seen, where)
    stamps_s = (sighting.stamps_ns - sighting.stamps_ns[0]) * 1e-9
    gap_s = config.filters.max_gap_s
    hand = bridged(stamps_s, sighting.hand_seen, gap_s)
    thing = bridged(stamps_s, sighting.object_seen, gap_s)
    unbroken = ~after_holes(stamps_s, gap_s)
    both = sighting.hand_seen & sighting.object_seen & unbroken
    valid = hand & thing & unbroken
    stretch = longest_run(valid)
    if stretch.stop - stretch.start < FEWEST_FRAMES:
        raise TrackError(
            f"{where}: hand and object are seen together in {int(both.sum())} frames, and never in "
            f"{FEWEST_FRAMES} without a gap of more than {gap_s:g} s"
        )
    track = Track(
        name=origin.name,
        object_name=origin.object_name,
        stamps_ns=sighting.stamps_ns.astype(np.int64),
        keypoints_m=fill_points(stamps_s, sighting.keypoints_m, sighting.hand_seen, hand).astype(
            np.float32
        ),
        valid=valid,
        object_points_m=sighting.object_points_m.astype(np.float32),
        T_table_object=fill_poses(stamps_s, sighting.T_table_object, sighting.object_seen, thing),
        meta=TrackMeta(
            source=origin.source,
            subject=origin.subject,
            scale_source=origin.scale_source,
            synthetic=origin.synthetic,
            time_scale=1.0,
            settings=origin.settings,
            quality=unmeasured(
                filled_frames=int((valid & ~both).sum()),
                longest_gap_s=round(longest_gap_s(stamps_s, both), 4),
                camera_disagreement_m=sighting.camera_disagreement_m,
                bystander_drift_m=sighting.bystander_drift_m,
            ),
            provenance=origin.provenance,
            handled=origin.handled,
        ),
        intrinsics=sighting.intrinsics,
        T_table_cam=sighting.T_table_cam,
    )
    return _measured(track, config)


def _measured(track: Track, config: TracksConfig) -> Track:
    figures = {
        "quality": measure(track, config),
        "time_scale": round(pace(track, config.filters).time_scale, 3),
    }
    return replace(track, meta=track.meta.model_copy(update=figures))
