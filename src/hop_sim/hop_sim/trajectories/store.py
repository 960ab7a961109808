"""The store of robot trajectories, to read: a folder, or any address that fsspec knows."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.arrays import Arrays
from hop_sim.trajectories.commit import COMMIT_FILE, parse_commit
from hop_sim.trajectories.digest import content_digest
from hop_sim.trajectories.header import parse_header
from hop_sim.trajectories.layout import CLOUD, COLUMNS, SURFACE
from hop_sim.trajectories.pairs import Pairs, pair
from hop_sim.trajectories.place import StorePlace, place_of
from hop_sim.trajectories.rows import (
    OBJECTS_FILE,
    TRACKS_FILE,
    ObjectRow,
    RowT,
    TrackRow,
    parse_rows,
)
from hop_sim.trajectories.track_result import ObjectModel


class TrajectoryStore:
    """What was committed when it was opened; a writer beside it does not disturb.

    Attributes:
        address: where it is, as it was named.
        header: what all trajectories share.
        commit: how much there is.
        tracks: what was tried, also tracks of which nothing was kept.
        objects: what the trajectories show.
    """

    def __init__(self, place: StorePlace) -> None:
        """Read the commit and the tables at `place`; arrays are read when they are asked for.

        Raises:
            TrajectoryError: there is no store, or it is damaged or of another version.
        """
        self.address = place.address
        self.commit = parse_commit(place.read(COMMIT_FILE), f"{self.address}/{COMMIT_FILE}")
        self.tracks = _table(place, TRACKS_FILE, TrackRow, self.commit.track_bytes)
        self.objects = _table(place, OBJECTS_FILE, ObjectRow, self.commit.object_bytes)
        self._arrays = Arrays(place.files, self.address)
        self.header = parse_header(self._arrays.attributes, self.address)

    @classmethod
    def open(cls, address: Path | str) -> TrajectoryStore:
        """Return the store at `address`: a folder, or a URL of a kind that fsspec knows.

        Raises:
            TrajectoryError: there is no store, or it is damaged or of another version.
        """
        return cls(place_of(address))

    def __len__(self) -> int:
        """Number of trajectories."""
        return self.commit.trajectories

    @property
    def frames(self) -> int:
        """Number of frames of all trajectories."""
        return self.commit.frames

    @cached_property
    def content(self) -> str:
        """16 hex digits that identify the content, whatever the order of the tracks."""
        return content_digest((row.info.name, row.sha256) for row in self.tracks)

    def read(self, path: str, rows: slice | None = None) -> np.ndarray:
        """Return a column, or contiguous rows of it.

        Args:
            path: such as "frames/q" (a row per frame), "episodes/length", "metrics/min_error_m",
                "scene/friction" (a row per trajectory); see `layout.COLUMNS`.
            rows: which; None: all.

        Raises:
            TrajectoryError: there is no such column, or it is damaged.
        """
        column = COLUMNS.get(path)
        if column is None:
            raise TrajectoryError(f"{path}: is no column; there are {', '.join(COLUMNS)}")
        start, stop, step = (rows or slice(None)).indices(self.commit.rows(column))
        if step != 1:
            raise TrajectoryError(f"{path}: rows must be contiguous; take every {step}th yourself")
        return self._arrays.read(column, slice(start, max(start, stop)))

    def frame_rows(self, trajectory: int) -> slice:
        """Return the rows of one trajectory in the columns of frames/."""
        start = int(self._starts[trajectory])
        return slice(start, start + int(self._lengths[trajectory]))

    def pairs(self, trajectories: np.ndarray | None = None) -> Pairs:
        """Return which rows are observations and which answer them.

        Args:
            trajectories: (M,) numbers of trajectories, or a flag for each; None: all.
        """
        if trajectories is None:
            return pair(self._starts, self._lengths)
        chosen = np.asarray(trajectories)
        numbers = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen
        pairs = pair(self._starts[numbers], self._lengths[numbers])
        return Pairs(pairs.observation, pairs.label, numbers[pairs.trajectory])

    def model(self, row: ObjectRow) -> ObjectModel:
        """Return the surface of the object of `row`, one of `objects`."""
        number = self.objects.index(row)
        return ObjectModel(
            self.read(CLOUD.path, slice(number, number + 1))[0],
            self.read(SURFACE.path, row.surface_rows),
        )

    @cached_property
    def _starts(self) -> np.ndarray:
        return self.read("episodes/start")

    @cached_property
    def _lengths(self) -> np.ndarray:
        return self.read("episodes/length")


def _table(place: StorePlace, name: str, model: type[RowT], size: int) -> tuple[RowT, ...]:
    """The first `size` bytes of a table, which are all that is committed of it."""
    content, where = place.read(name), f"{place.address}/{name}"
    if len(content) < size:
        raise TrajectoryError(
            f"{where}: has {len(content)} bytes, {size} are committed; copy the store again"
        )
    return tuple(parse_rows(content[:size], model, where))
