"""Tracks as people read them: one with its quality record, many by their source."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from rich.markup import escape
from rich.table import Table

from hop_sim.tracks.config import LimitConfig, TracksConfig
from hop_sim.tracks.resample import resample
from hop_sim.tracks.track import Track, TrackMeta


def summary(kept: Sequence[tuple[str, TrackMeta]], nearest_m: np.ndarray) -> dict[str, object]:
    """Return the figures of many tracks, flat, for JSON and for people.

    Subjects are those that are known.

    Args:
        kept: name of the object and record of each track, at least one.
        nearest_m: (N,) of `distinct.nearest_m`.
    """
    metas = [meta for _, meta in kept]
    qualities = [meta.quality for meta in metas]
    seconds = sum(quality.stretch_s for quality in qualities)
    return {
        "tracks": len(kept),
        "synthetic": sum(meta.synthetic for meta in metas),
        "objects": len({name for name, _ in kept}),
        "subjects": len({(meta.source, meta.subject) for meta in metas if meta.subject}),
        "minutes": round(seconds / 60.0, 2),
        "frames": sum(quality.frames for quality in qualities),
        "median_contact_share": _median(quality.contact_share for quality in qualities),
        "median_palm_speed_m_s": _median(quality.palm_speed_m_s for quality in qualities),
        "median_time_scale": _median(meta.time_scale for meta in metas),
        "nearest_min_mm": _millimetres(nearest_m.min()),
        "nearest_median_mm": _millimetres(np.median(nearest_m)),
    }


def summary_table(figures: dict[str, object], title: str) -> Table:
    """Return the figures of `summary` in two columns."""
    table = Table("figure", "value", title=title)
    for key, value in figures.items():
        table.add_row(key, "-" if value is None else str(value))
    return table


def track_table(track: Track, config: TracksConfig) -> Table:
    """Return what there is to say of one track, its quality beside the limits."""
    meta, steps = track.meta, resample(track, config.filters)
    table = Table("figure", "value", "limit", title=track.name)
    kind = "SYNTHETIC: made, not seen" if meta.synthetic else "seen"
    camera = "known" if track.T_table_cam is not None else "unknown"
    for key, value in {
        "source": f"{meta.source} ({kind})",
        "object": f"{track.object_name}, {len(track.object_points_m)} points"
        + ("" if meta.handled else ", NOT HANDLED"),
        "subject": meta.subject or "not known",
        "metres from": meta.scale_source,
        "frames": f"{len(track.valid)} at {track.fps:.1f} Hz, {int(track.valid.sum())} valid",
        "time_scale": f"{meta.time_scale:g}",
        "policy steps": f"{len(steps.time_s)}, {steps.time_s[-1]:.2f} s, {int(steps.contact.sum())}"
        " in contact",
        "camera pose": camera,
        **{f"provenance {key}": value for key, value in meta.provenance.items()},
    }.items():
        table.add_row(escape(key), escape(str(value)), "")
    table.add_section()
    limits = _limits(config.limits, meta.handled)
    for key, value in meta.quality.model_dump().items():
        table.add_row(key, "-" if value is None else f"{value:g}", limits.get(key, ""))
    return table


def _limits(limits: LimitConfig, handled: bool) -> dict[str, str]:
    """Limits by the name of the figure in the quality record that they bound."""
    return {
        "valid_share": f">= {limits.valid_share:g}",
        "stretch_s": f">= {limits.stretch_s:g}",
        "palm_length_m": "{:g}-{:g}".format(*limits.palm_length_m),
        "bone_variation": f"<= {limits.bone_variation:g}",
        "right_handedness": "> 0",
        "palm_speed_m_s": f"<= {limits.palm_speed_m_s:g}",
        "object_size_m": "{:g}-{:g}".format(*limits.object_size_m),
        "closest_m": f"{'<=' if handled else '>'} {limits.touch_m:g}",
        "lowest_m": f">= {-limits.below_table_m:g}",
        "workspace_s": f">= {limits.workspace_s:g}",
        "untouched_drift_m": f"<= {limits.untouched_drift_m:g}",
        "camera_disagreement_m": f"<= {limits.camera_disagreement_m:g}",
        "bystander_drift_m": f"<= {limits.untouched_drift_m:g}",
    }


def _median(values: Iterable[float]) -> float:
    return round(float(np.median(list(values))), 3)


def _millimetres(metres: float) -> float | None:
    return round(float(metres) * 1000.0, 2) if np.isfinite(metres) else None
