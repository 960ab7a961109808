"""A hand-object track as a drawing: in its table frame, as it will be retargeted."""

from __future__ import annotations

import numpy as np

from hop_sim.tracks.config import FilterConfig
from hop_sim.tracks.contact import distances_m
from hop_sim.tracks.resample import Track20, resample
from hop_sim.tracks.rigid import quaternions
from hop_sim.tracks.track import Track
from hop_sim.view.drawing import Curve, Drawing, Layer, Viewpoint
from hop_sim.view.hand_skeleton import hand_skeleton, seen_skeleton
from hop_sim.view.surroundings import object_solids, table_solid

_TOWARD_EYE = (-0.35, -0.60, 0.40)


def draw_track(track: Track, filters: FilterConfig) -> Drawing:
    """Return the longest valid stretch of `track`, smoothed and in steps of the policy.

    The hand as it was seen is a layer of its own, at the stamp nearest to each step.

    Raises:
        TrackError: no stretch of valid frames is long enough.
        ViewError: the object's points span no solid.
    """
    steps = resample(track, filters)
    nearest_m = distances_m(steps.keypoints_m, steps.T_table_object, steps.object_points_m)
    tip_mm = 1000.0 * nearest_m.min(axis=1)
    seen = np.abs(track.stamps_s[None] - steps.source_s[:, None]).argmin(axis=1)
    hand_dots, hand_strokes = hand_skeleton(steps.keypoints_m, steps.contact)
    seen_dots, seen_strokes = seen_skeleton(track.keypoints_m[seen])
    places = np.concatenate([steps.keypoints_m.reshape(-1, 3), steps.T_table_object[:, :3, 3]])
    return Drawing(
        title=track.name,
        facts={"Track": _facts(track, steps)},
        rate_hz=1.0 / (steps.time_s[1] - steps.time_s[0]),
        captions=tuple(_caption(steps, k, float(tip_mm[k])) for k in range(len(steps.time_s))),
        contact=steps.contact,
        curve=Curve("nearest fingertip to object [mm]", tip_mm, 1000.0 * filters.contact_m),
        viewpoint=Viewpoint.on(places, _TOWARD_EYE),
        solids=(
            *object_solids(steps.object_points_m, matrix_poses(steps.T_table_object)),
            table_solid(),
        ),
        dots=(hand_dots, seen_dots),
        strokes=(hand_strokes, seen_strokes),
        hidden=frozenset({Layer.SEEN_HAND}),
    )


def matrix_poses(T: np.ndarray) -> np.ndarray:
    """Return rigid transforms (T, 4, 4) as poses (T, 7)."""
    return np.concatenate([T[:, :3, 3], quaternions(T[:, :3, :3])], axis=1)


def origin_text(source: str, synthetic: bool) -> str:
    """Return where a track comes from; nobody shall take a synthetic one for a seen one."""
    return f"{source} (SYNTHETIC: made, not seen)" if synthetic else f"{source} (seen)"


def _facts(track: Track, steps: Track20) -> dict[str, str]:
    meta = track.meta
    return {
        "source": origin_text(meta.source, meta.synthetic),
        "object": track.object_name,
        "subject": meta.subject or "not known",
        "metres from": meta.scale_source,
        "seen": f"{len(track.valid)} frames at {track.fps:.1f} Hz, {int(track.valid.sum())} valid",
        "time scale": f"{steps.time_scale:g} (played so much slower than seen)",
        "steps": f"{len(steps.time_s)} in {steps.time_s[-1]:.2f} s, {int(steps.contact.sum())} in "
        "contact",
        "palm speed": f"{meta.quality.palm_speed_m_s:.2f} m/s at most, as seen",
    }


def _caption(steps: Track20, k: int, tip_mm: float) -> str:
    contact = "contact" if steps.contact[k] else "no contact"
    return (
        f"step {k} of {len(steps.time_s) - 1}, {steps.time_s[k]:.2f} s (seen at "
        f"{steps.source_s[k]:.2f} s), fingertip at {tip_mm:.0f} mm, {contact}"
    )
