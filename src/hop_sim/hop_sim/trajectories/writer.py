"""Writing a store: tracks are added one by one, each wholly or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hop_core.closing import Closing
from hop_core.errors import TrackRefusedError, TrajectoryError
from hop_sim.trajectories.arrays import Arrays
from hop_sim.trajectories.assembly import object_rows, trajectory_rows
from hop_sim.trajectories.commit import COMMIT_FILE, Commit, write_commit
from hop_sim.trajectories.creation import create_store
from hop_sim.trajectories.digest import object_digest, track_digest
from hop_sim.trajectories.header import StoreHeader, require_same
from hop_sim.trajectories.layout import COLUMNS
from hop_sim.trajectories.lock import lock_store
from hop_sim.trajectories.place import DurableStore, StorePlace
from hop_sim.trajectories.rows import OBJECTS_FILE, TRACKS_FILE, ObjectRow, TrackRow, append_rows
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.track_result import TrackResult, require_sound


class TrajectoryWriter(Closing):
    """Adds tracks to a store; one process at a time, and tracks in the order of the calls.

    Rows go into the arrays first, behind those that are known; the track exists when the new commit
    is renamed into place. Whatever stops the writer before that, the store is as it was, and the
    next writer cuts what lies beyond the commit.

    Attributes:
        path: the store's folder.
        header: what all its trajectories share.
    """

    def __init__(self, path: Path) -> None:
        """Open the store at `path`; cut what a writer that was stopped has left.

        Raises:
            TrajectoryError: there is no store, it is damaged, or another process writes it.
        """
        self.path = path
        self._lock = lock_store(path)
        try:
            self._files = DurableStore(path)
            store = TrajectoryStore(StorePlace(str(path), self._files))
            self.header, self._commit = store.header, store.commit
            self._tracks = {row.info.name: row for row in store.tracks}
            self._objects = list(store.objects)
            self._arrays = Arrays(self._files, str(path), write=True)
            self._left_over = True
            for file in path.rglob("*.partial"):
                file.unlink()
            self._cut()
        except OSError as error:
            self.close()
            raise TrajectoryError(f"{path}: cannot be written: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    @classmethod
    def create(cls, path: Path, header: StoreHeader) -> TrajectoryWriter:
        """Make an empty store at `path` and return its writer.

        Raises:
            TrajectoryError: something is there, or the disk refuses.
        """
        create_store(path, header)
        return cls(path)

    @classmethod
    def resume(cls, path: Path, header: StoreHeader) -> TrajectoryWriter:
        """Return the writer of the store at `path`, which is made if there is none.

        Raises:
            TrajectoryError: the store was made by other settings than those of `header`, is
                damaged, or is written by another process.
        """
        if not (path / COMMIT_FILE).exists():
            return cls.create(path, header)
        writer = cls(path)
        try:
            require_same(writer.header, header, str(path), "this run")
        except TrajectoryError:
            writer.close()
            raise
        return writer

    @property
    def tracks(self) -> Mapping[str, TrackRow]:
        """The tracks that are there, by name."""
        return self._tracks

    def store(self) -> TrajectoryStore:
        """Return what is there now, to read."""
        return TrajectoryStore.open(self.path)

    def append_track(self, result: TrackResult) -> TrackRow:
        """Add a track with all that was kept of it; return its row.

        Raises:
            TrackRefusedError: the track is there already, is not sound, or shows an object that
                has another surface in the store; the store is as it was.
            TrajectoryError: the disk refuses; the store is as it was.
        """
        require_sound(result)
        name = result.track.name
        if name in self._tracks:
            raise TrackRefusedError(f"{self.path}: track '{name}' is there already; leave it out")
        new_objects = self._new_objects(result)
        objects = [*self._objects, *new_objects]
        numbers = {row.name: number for number, row in enumerate(objects)}
        rows = trajectory_rows(result.trajectories, self._commit, numbers)
        track = self._row(result, rows, objects, numbers)
        rows |= object_rows([result.objects[row.name] for row in new_objects])
        try:
            self._write(rows, track, new_objects)
        except OSError as error:
            raise TrajectoryError(
                f"{self.path}: track '{name}' cannot be written: {error.strerror}; the store is "
                f"whole, with {len(self._tracks)} tracks: make room and run the same command again"
            ) from error
        self._tracks[name] = track
        self._objects = objects
        return track

    def close(self) -> None:
        """Let other processes write."""
        self._lock.close()

    def _new_objects(self, result: TrackResult) -> list[ObjectRow]:
        """The rows of those objects that the store does not have yet."""
        known = {row.name: row.sha256 for row in self._objects}
        point, new = self._commit.surface_points, []
        for name, model in result.objects.items():
            checksum = object_digest(model)
            if known.setdefault(name, checksum) != checksum:
                raise TrackRefusedError(
                    f"{self.path}: object '{name}' has another surface than in track "
                    f"'{result.track.name}'; give different objects different names"
                )
            if all(row.name != name for row in self._objects):
                count = len(model.surface)
                new.append(ObjectRow(name=name, first_point=point, points=count, sha256=checksum))
                point += count
        return new

    def _row(
        self,
        result: TrackResult,
        rows: Mapping[str, np.ndarray],
        objects: list[ObjectRow],
        numbers: Mapping[str, int],
    ) -> TrackRow:
        shown = [objects[numbers[t.object_name]] for t in result.trajectories]
        rejections = dict(result.rejections)
        return TrackRow(
            info=result.track,
            attempts=result.attempts,
            rejections=rejections,
            first_trajectory=self._commit.trajectories,
            trajectories=len(result.trajectories),
            first_frame=self._commit.frames,
            frames=len(rows["frames/q"]),
            sha256=track_digest(
                result.track,
                result.attempts,
                rejections,
                [(row.name, row.sha256) for row in shown],
                rows,
            ),
        )

    def _write(
        self, rows: Mapping[str, np.ndarray], track: TrackRow, objects: list[ObjectRow]
    ) -> None:
        now = self._commit
        if self._left_over:
            self._cut()
        self._left_over = True
        for path, values in rows.items():
            self._arrays.write(COLUMNS[path], now.rows(COLUMNS[path]), values)
        self._files.force()
        commit = Commit(
            format=now.format,
            version=now.version,
            frames=now.frames + track.frames,
            trajectories=now.trajectories + track.trajectories,
            objects=now.objects + len(objects),
            surface_points=now.surface_points + sum(row.points for row in objects),
            tracks=now.tracks + 1,
            track_bytes=append_rows(self.path / TRACKS_FILE, now.track_bytes, [track]),
            object_bytes=append_rows(self.path / OBJECTS_FILE, now.object_bytes, objects),
        )
        write_commit(self.path, commit)
        self._commit = commit
        self._left_over = False

    def _cut(self) -> None:
        """Cut what lies beyond the commit; tables are cut when they are added to."""
        for column in COLUMNS.values():
            self._arrays.cut(column, self._commit.rows(column))
        self._left_over = False
