"""Checksums of content: the same for the same trajectories, in whatever store they lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hop_sim.trajectories.layout import CLOUD, CONTENT_COLUMNS, FRAME_COLUMNS, SURFACE
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo


def object_digest(model: ObjectModel) -> str:
    """Return the checksum of an object's cloud and surface."""
    digest = hashlib.sha256(CLOUD.array(model.cloud[None]).tobytes())
    digest.update(SURFACE.array(model.surface).tobytes())
    return digest.hexdigest()


def track_digest(
    info: TrackInfo,
    attempts: int,
    rejections: Mapping[str, int],
    shown: Sequence[tuple[str, str]],
    rows: Mapping[str, np.ndarray],
) -> str:
    """Return the checksum of all that is known of one track.

    Args:
        info: the track.
        attempts: see `TrackResult`.
        rejections: see `TrackResult`.
        shown: name and checksum of the object of each trajectory.
        rows: the track's rows by path of column; columns that tell a place in the store do not
            count.
    """
    text = json.dumps(
        [info.model_dump(mode="json"), attempts, dict(rejections), list(shown)], sort_keys=True
    )
    digest = hashlib.sha256(text.encode())
    for each in (*FRAME_COLUMNS, *CONTENT_COLUMNS):
        digest.update(f"\n{each.path} {len(rows[each.path])}\n".encode())
        digest.update(each.array(rows[each.path]).tobytes())
    return digest.hexdigest()


def content_digest(tracks: Iterable[tuple[str, str]]) -> str:
    """Return 16 hex digits for a whole store, whatever the order of its tracks.

    Args:
        tracks: name and checksum of each.
    """
    text = "\n".join(f"{name} {checksum}" for name, checksum in sorted(tracks))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
