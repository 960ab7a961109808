"""Writing the depth of a store: trajectory after trajectory, each wholly or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr

from hop_core.closing import Closing
from hop_core.durable_files import sync_path
from hop_core.errors import TrajectoryError
from hop_sim.trajectories.arrays import Arrays, create_array
from hop_sim.trajectories.depth.layout import (
    CHECKSUM_CHUNK_ROWS,
    CHECKSUMS,
    CODE_CHUNK_ROWS,
    code_column,
)
from hop_sim.trajectories.depth.reading import StoredDepth, code_digest
from hop_sim.trajectories.depth.recipe import DepthRecipe
from hop_sim.trajectories.depth.record import (
    DEPTH_DIR,
    RECORD_FILE,
    DepthRecord,
    shown_content,
    write_record,
)
from hop_sim.trajectories.header import software_versions
from hop_sim.trajectories.lock import lock_store
from hop_sim.trajectories.place import DurableStore
from hop_sim.trajectories.store import TrajectoryStore


class DepthWriter(Closing):
    """Adds images behind those that are there; nobody else writes the store meanwhile.

    As in `TrajectoryWriter`, rows go into the arrays first and exist when the new record is renamed
    into place; the columns of the trajectories are not touched.

    Attributes:
        store: whose depth it is.
    """

    def __init__(self, path: Path, recipe: DepthRecipe) -> None:
        """Open the depth of the store at `path`, or make an empty one; cut what a kill has left.

        Raises:
            TrajectoryError: there is no store, another process writes it, or its depth is damaged,
                of other trajectories or by another recipe.
        """
        self._path = path
        self._lock = lock_store(path)
        try:
            self.store = TrajectoryStore.open(path)
            self._files = DurableStore(path)
            self._codes = code_column(recipe.contract.size_px)
            if not (path / RECORD_FILE).exists():
                self._create(recipe)
            self._record = StoredDepth(self.store).record
            self._record.recipe.require_same(recipe, str(path / DEPTH_DIR))
            for file in (path / DEPTH_DIR).rglob("*.partial"):
                file.unlink()
            self._arrays = Arrays(self._files, str(path), write=True)
            self._arrays.cut(self._codes, self._record.frames)
            self._arrays.cut(CHECKSUMS, self._record.trajectories)
        except OSError as error:
            self.close()
            raise TrajectoryError(f"{path}: cannot be written: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    @property
    def trajectories(self) -> int:
        """How many of the store's trajectories have depth, from the first on."""
        return self._record.trajectories

    def append(self, images: Sequence[np.ndarray]) -> None:
        """Add the images of the next trajectories, all of them or none.

        Args:
            images: codes (T, 60, 60) uint16 of each.

        Raises:
            TrajectoryError: they are not of the store's next trajectories, or the disk refuses.
        """
        now, stop = self._record, self._record.trajectories + len(images)
        if stop > len(self.store):
            raise TrajectoryError(f"{self._path}: holds {len(self.store)} trajectories, not {stop}")
        for number, each in enumerate(images, now.trajectories):
            rows = self.store.frame_rows(number)
            if len(each) != rows.stop - rows.start:
                raise TrajectoryError(
                    f"{self._path}: trajectory {number} has {rows.stop - rows.start} frames, not "
                    f"{len(each)}"
                )
        codes = self._codes.array(np.concatenate(list(images)))
        checksums = CHECKSUMS.array([list(code_digest(each)) for each in images])
        record = now.model_copy(
            update={
                "trajectories": stop,
                "frames": now.frames + len(codes),
                "content": shown_content(self.store.tracks, stop),
            }
        )
        try:
            self._arrays.write(self._codes, now.frames, codes)
            self._arrays.write(CHECKSUMS, now.trajectories, checksums)
            self._files.force()
            write_record(self._path, record)
        except OSError as error:
            raise TrajectoryError(
                f"{self._path}/{DEPTH_DIR}: cannot be written: {error.strerror}; it is whole, with "
                f"{now.trajectories} trajectories: make room and run the same command again"
            ) from error
        self._record = record

    def close(self) -> None:
        """Let other processes write."""
        self._lock.close()

    def _create(self, recipe: DepthRecipe) -> None:
        """Make an empty depth/; one without a record is what a killed creation has left."""
        folder = self._path / DEPTH_DIR
        if folder.exists():
            shutil.rmtree(folder)
        group = zarr.open_group(self._files, mode="r+", zarr_format=3)
        group.create_group(DEPTH_DIR)
        create_array(group, self._codes, CODE_CHUNK_ROWS, rows_last=True)
        create_array(group, CHECKSUMS, CHECKSUM_CHUNK_ROWS, rows_last=False)
        self._files.force()
        sync_path(self._path)
        nothing = DepthRecord(
            trajectories=0,
            frames=0,
            content=shown_content(self.store.tracks, 0),
            recipe=recipe,
            software=software_versions(),
        )
        write_record(self._path, nothing)
