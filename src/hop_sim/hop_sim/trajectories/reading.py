"""Whole tracks out of a store: their rows, their checksum, and what was once put in."""

from __future__ import annotations

from typing import Any

import numpy as np

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.columns import Column
from hop_sim.trajectories.digest import track_digest
from hop_sim.trajectories.layout import (
    EPISODE_COLUMNS,
    FRAME_COLUMNS,
    METRIC_COLUMNS,
    SCENE_COLUMNS,
)
from hop_sim.trajectories.rows import TrackRow
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.track_result import TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics


def track_rows(store: TrajectoryStore, track: TrackRow) -> dict[str, np.ndarray]:
    """Return the rows of one track in all columns of frames and trajectories, by path.

    Raises:
        TrajectoryError: a column is damaged.
    """
    frames = {each.path: store.read(each.path, track.frame_rows) for each in FRAME_COLUMNS}
    episodes = {each.path: store.read(each.path, track.episode_rows) for each in EPISODE_COLUMNS}
    return {**frames, **episodes}


def checksum(store: TrajectoryStore, track: TrackRow, rows: dict[str, np.ndarray]) -> str:
    """Return the checksum of a track as its rows are now; `TrackRow.sha256` is what it was."""
    numbers = rows["episodes/object"]
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(store.objects):
        raise TrajectoryError(
            f"{store.address}: track '{track.info.name}': episodes/object: names no object; copy "
            "the store again"
        )
    shown = [(store.objects[number].name, store.objects[number].sha256) for number in numbers]
    return track_digest(track.info, track.attempts, track.rejections, shown, rows)


def read_track(store: TrajectoryStore, track: TrackRow) -> TrackResult:
    """Return what was put in as `track`, after a check against its checksum.

    Raises:
        TrajectoryError: the rows are not what was put in.
    """
    rows = track_rows(store, track)
    if checksum(store, track, rows) != track.sha256:
        raise TrajectoryError(
            f"{store.address}: track '{track.info.name}': sha256: the rows are not those that were "
            "stored; copy the store again, or make the track again"
        )
    shown = [store.objects[number] for number in rows["episodes/object"]]
    starts = rows["episodes/start"] - track.first_frame
    trajectories = []
    for i, (start, length) in enumerate(zip(starts, rows["episodes/length"], strict=True)):
        frames = {each.name: rows[each.path][start : start + length] for each in FRAME_COLUMNS}
        trajectories.append(
            Trajectory(
                attempt=int(rows["episodes/attempt"][i]),
                seed=int(rows["episodes/seed"][i]),
                object_name=shown[i].name,
                frames=Frames(**frames),
                metrics=TrajectoryMetrics(**_row(METRIC_COLUMNS, rows, i)),
                scene=Scene(**_row(SCENE_COLUMNS, rows, i)),
            )
        )
    models = {row.name: store.model(row) for row in dict.fromkeys(shown)}
    return TrackResult(track.info, track.attempts, track.rejections, trajectories, models)


def read_trajectory(store: TrajectoryStore, index: int) -> tuple[TrackRow, Trajectory]:
    """Return one trajectory and its track; what it says is not compared with the checksum.

    Args:
        store: where it is.
        index: its number in the store.

    Raises:
        TrajectoryError: there is no such trajectory, or a column is damaged.
    """
    if not 0 <= index < len(store):
        raise TrajectoryError(
            f"{store.address}: has no trajectory {index}; it holds {len(store)}, from 0"
        )
    one, frames = slice(index, index + 1), store.frame_rows(index)
    rows = {each.path: store.read(each.path, one) for each in EPISODE_COLUMNS}
    track, number = int(rows["episodes/track"][0]), int(rows["episodes/object"][0])
    if not (0 <= track < len(store.tracks) and 0 <= number < len(store.objects)):
        raise TrajectoryError(
            f"{store.address}: trajectory {index}: names no track or no object; copy the store "
            "again"
        )
    return store.tracks[track], Trajectory(
        attempt=int(rows["episodes/attempt"][0]),
        seed=int(rows["episodes/seed"][0]),
        object_name=store.objects[number].name,
        frames=Frames(**{each.name: store.read(each.path, frames) for each in FRAME_COLUMNS}),
        metrics=TrajectoryMetrics(**_row(METRIC_COLUMNS, rows, 0)),
        scene=Scene(**_row(SCENE_COLUMNS, rows, 0)),
    )


def _row(columns: tuple[Column, ...], rows: dict[str, np.ndarray], i: int) -> dict[str, Any]:
    return {each.name: rows[each.path][i] for each in columns}
