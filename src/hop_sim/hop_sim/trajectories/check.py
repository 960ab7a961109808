"""What is wrong with a store: each track and its depth against checksums, objects, the index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.depth.check import check_depth
from hop_sim.trajectories.digest import object_digest
from hop_sim.trajectories.reading import checksum, track_rows
from hop_sim.trajectories.rows import ObjectRow, TrackRow
from hop_sim.trajectories.store import TrajectoryStore


def check_store(store: TrajectoryStore) -> Iterator[tuple[str, str]]:
    """Yield the name of each part of the store with what is wrong with it, empty if nothing is.

    Parts are the tables, then each object, then each track, then what there is of its depth.
    """
    yield "tables", _tables_problem(store)
    for item in store.objects:
        yield f"object '{item.name}'", _object_problem(store, item)
    for number, track in enumerate(store.tracks):
        yield f"track '{track.info.name}'", _track_problem(store, number, track)
    yield from check_depth(store)


def _tables_problem(store: TrajectoryStore) -> str:
    """What does not fit between the tables and the counts of the commit."""
    commit = store.commit
    expected = {
        "tracks": (len(store.tracks), commit.tracks),
        "objects": (len(store.objects), commit.objects),
        "trajectories": (sum(row.trajectories for row in store.tracks), commit.trajectories),
        "frames": (sum(row.frames for row in store.tracks), commit.frames),
        "surface_points": (sum(row.points for row in store.objects), commit.surface_points),
    }
    for name, (found, committed) in expected.items():
        if found != committed:
            return f"{name}: the tables say {found}, the commit says {committed}"
    frame = trajectory = 0
    for row in store.tracks:
        if (row.first_frame, row.first_trajectory) != (frame, trajectory):
            return f"track '{row.info.name}': does not begin where the one before it ends"
        frame, trajectory = frame + row.frames, trajectory + row.trajectories
    counts = Counter(row.info.name for row in store.tracks)
    twice = [name for name, count in counts.items() if count > 1]
    return f"tracks occur twice: {', '.join(twice)}" if twice else ""


def _object_problem(store: TrajectoryStore, row: ObjectRow) -> str:
    try:
        digest = object_digest(store.model(row))
    except TrajectoryError as error:
        return str(error)
    return "" if digest == row.sha256 else "sha256: its points are not those that were stored"


def _track_problem(store: TrajectoryStore, number: int, track: TrackRow) -> str:
    try:
        rows = track_rows(store, track)
        digest = checksum(store, track, rows)
    except TrajectoryError as error:
        return str(error)
    lengths = rows["episodes/length"]
    starts = track.first_frame + np.cumsum(lengths) - lengths
    if lengths.sum() != track.frames or not np.array_equal(rows["episodes/start"], starts):
        return "episodes/start and episodes/length: do not cover its frames one after the other"
    if (rows["episodes/track"] != number).any():
        return "episodes/track: names another track"
    return "" if digest == track.sha256 else "sha256: its rows are not those that were stored"
