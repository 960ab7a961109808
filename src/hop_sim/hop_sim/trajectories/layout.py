"""The store's columns, all of them, and how they are cut into chunks and compressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from hop_sim.trajectories.columns import Cells, Column, columns_of
from hop_sim.trajectories.trajectory import Frames, Scene, TrajectoryMetrics

CLOUD_POINTS = 100


@dataclass(frozen=True)
class Place:
    """Where a trajectory is in the store, and what it is of."""

    start: Annotated[int, Cells("i8", "1", "its first row in frames/")]
    length: Annotated[int, Cells("i4", "1", "its rows in frames/")]
    track: Annotated[int, Cells("i4", "1", "its track: line of tracks.jsonl, from 0")]
    object: Annotated[int, Cells("i4", "1", "its object: line of objects.jsonl, from 0")]
    attempt: Annotated[int, Cells("i4", "1", "its number among the attempts at its track")]
    seed: Annotated[int, Cells("i8", "1", "what it was drawn from; -1: unknown")]


FRAME_COLUMNS = columns_of(Frames, "frames")
PLACE_COLUMNS = columns_of(Place, "episodes")
METRIC_COLUMNS = columns_of(TrajectoryMetrics, "metrics")
SCENE_COLUMNS = columns_of(Scene, "scene")
EPISODE_COLUMNS = PLACE_COLUMNS + METRIC_COLUMNS + SCENE_COLUMNS
_POINT = np.dtype("<f4")
CLOUD = Column(
    "objects", "cloud", _POINT, (CLOUD_POINTS, 3), "m", "points in the object's frame, fixed order"
)
SURFACE = Column(
    "objects", "surface", _POINT, (3,), "m", "denser points; objects.jsonl says whose they are"
)
COLUMNS = {each.path: each for each in (*FRAME_COLUMNS, *EPISODE_COLUMNS, CLOUD, SURFACE)}
_PLACED = ("start", "track", "object")
# Of a trajectory's columns, those that are the same in whatever store it lies.
CONTENT_COLUMNS = tuple(
    each for each in EPISODE_COLUMNS if each.path not in {f"episodes/{n}" for n in _PLACED}
)

# A chunk is read and decompressed at once: 1.5 MB of joint angles. Smaller ones load slower whole,
# and hardly faster in windows: 4,096 rows 0.3 against 1.0 GB/s, 440 against 360 windows a second.
_CHUNK_ROWS = 16384
_CLOUD_CHUNK_ROWS = 256
COMPRESSION_LEVEL = 5


def chunk_rows(each: Column) -> int:
    """Return how many rows of a column make one chunk."""
    return _CLOUD_CHUNK_ROWS if each.path == CLOUD.path else _CHUNK_ROWS
