"""The figures of a store: how much, how good, what was rejected and why."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from hop_sim.trajectories.depth.record import DEPTH_DIR
from hop_sim.trajectories.layout import FRAME_COLUMNS, METRIC_COLUMNS
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.thin import is_drawn

_BLOCK_ROWS = 200_000
_PERCENTILES = (5, 50, 95)


def summary(store: TrajectoryStore) -> dict[str, Any]:
    """Return the figures of the whole store, for JSON and for people.

    A store that was drawn from another one has no shares kept: they would be those of the draw.
    """
    attempts = sum(row.attempts for row in store.tracks)
    judged = 0 if is_drawn(store) else attempts
    kept = {name: int(store.read(f"metrics/{name}").sum()) for name in ("kept_any", "kept_contact")}
    return {
        "tracks": len(store.tracks),
        "tracks_with_nothing_kept": sum(row.trajectories == 0 for row in store.tracks),
        "synthetic_tracks": sum(row.info.synthetic for row in store.tracks),
        "groups": len({row.info.group for row in store.tracks}),
        "objects": len(store.objects),
        "attempts": attempts,
        "trajectories": len(store),
        "frames": store.frames,
        "hours": round(store.frames / store.header.rate_hz / 3600.0, 3),
        **kept,
        **{f"{name}_share": _share(count, judged) for name, count in kept.items()},
        "rejections": dict(_rejections(store).most_common()),
        "metrics": _metrics(store),
        "joints_rad": _joint_ranges(store),
        "content": store.content,
        **_size(store),
    }


def track_summaries(store: TrajectoryStore) -> list[dict[str, Any]]:
    """Return the figures of each track, flat but for its objects and rejections."""
    columns = {
        name: store.read(path)
        for name, path in (
            ("objects", "episodes/object"),
            ("error_m", "metrics/median_contact_error_m"),
            ("kept_any", "metrics/kept_any"),
            ("kept_contact", "metrics/kept_contact"),
        )
    }
    found = []
    for row in store.tracks:
        own = {name: values[row.episode_rows] for name, values in columns.items()}
        known = own["error_m"][np.isfinite(own["error_m"])]
        found.append(
            {
                "track": row.info.name,
                "source": row.info.source,
                "synthetic": row.info.synthetic,
                "group": row.info.group,
                "objects": [store.objects[number].name for number in np.unique(own["objects"])],
                "attempts": row.attempts,
                "trajectories": row.trajectories,
                "kept_any": int(own["kept_any"].sum()),
                "kept_contact": int(own["kept_contact"].sum()),
                "frames": row.frames,
                "median_contact_error_m": round(float(np.median(known)), 5) if len(known) else None,
                "rejections": row.rejections,
                "sha256": row.sha256,
            }
        )
    return found


def _rejections(store: TrajectoryStore) -> Counter[str]:
    total: Counter[str] = Counter()
    for row in store.tracks:
        total.update(row.rejections)
    return total


def _metrics(store: TrajectoryStore) -> dict[str, dict[str, float]]:
    """Percentiles of the figures that are known of some trajectory."""
    found = {}
    for column in METRIC_COLUMNS:
        values = store.read(column.path)
        known = values[np.isfinite(values)]
        if column.dtype.kind == "f" and len(known):
            percentiles = np.percentile(known, _PERCENTILES)
            found[column.name] = {
                "known": len(known),
                **{
                    f"p{p}": float(f"{v:.4g}")
                    for p, v in zip(_PERCENTILES, percentiles, strict=True)
                },
            }
    return found


def _joint_ranges(store: TrajectoryStore) -> dict[str, tuple[float, float]]:
    """Smallest and largest posture of each joint."""
    if not store.frames:
        return {}
    low, high = [], []
    for start in range(0, store.frames, _BLOCK_ROWS):
        block = store.read("frames/q", slice(start, start + _BLOCK_ROWS))
        low.append(block.min(axis=0))
        high.append(block.max(axis=0))
    ranges = np.round([np.min(low, axis=0), np.max(high, axis=0)], 3).T.tolist()
    return {name: (a, b) for name, (a, b) in zip(store.header.joint_names, ranges, strict=True)}


def _size(store: TrajectoryStore) -> dict[str, float]:
    """Bytes on this machine's disk; nothing for a store elsewhere."""
    if "://" in store.address or not store.frames:
        return {}
    root = Path(store.address)
    depth = _bytes_below(root / DEPTH_DIR)
    size = _bytes_below(root) - depth
    raw = sum(column.row_bytes for column in FRAME_COLUMNS)
    return {
        "bytes": size,
        "depth_bytes": depth,
        "bytes_per_frame": round(size / store.frames, 1),
        "uncompressed_bytes_per_frame": raw,
    }


def _bytes_below(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # one that a writer renames meanwhile
            size += file.stat().st_size if file.is_file() else 0
    return size


def _share(count: int, of: int) -> float | None:
    return round(count / of, 4) if of else None
