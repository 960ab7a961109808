"""The store's arrays: made, read, lengthened and cut."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from zarr.abc.store import Store
from zarr.codecs import BloscCodec, TransposeCodec

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.columns import Column
from hop_sim.trajectories.layout import COLUMNS, COMPRESSION_LEVEL, chunk_rows


def create_arrays(files: Store, attributes: dict[str, Any]) -> None:
    """Make a Zarr group with an empty array for every column.

    Args:
        files: where; nothing may be there yet.
        attributes: of the group.
    """
    group = zarr.create_group(files, attributes=attributes, zarr_format=3)
    for folder in sorted({each.folder for each in COLUMNS.values()}):
        group.create_group(folder)
    for each in COLUMNS.values():
        # A joint's values one after the other are alike: a tenth less to store.
        create_array(group, each, chunk_rows(each), rows_last=len(each.shape) == 1)


def create_array(group: zarr.Group, column: Column, chunk: int, rows_last: bool) -> None:
    """Make the empty array of a column.

    Args:
        group: of the store.
        column: which.
        chunk: rows of a chunk.
        rows_last: whether a chunk holds the rows of its first cell, then those of the next.
    """
    group.create_array(
        column.path,
        shape=(0, *column.shape),
        dtype=column.dtype,
        chunks=(chunk, *column.shape),
        filters=TransposeCodec(order=(*range(1, len(column.shape) + 1), 0)) if rows_last else None,
        compressors=BloscCodec(
            typesize=column.dtype.itemsize, cname="zstd", clevel=COMPRESSION_LEVEL
        ),
        # One folder a column, not one a chunk.
        chunk_key_encoding={"name": "default", "separator": "."},
        attributes={"unit": column.unit, "description": column.text},
    )


class Arrays:
    """The arrays of one store, opened when they are needed."""

    def __init__(self, files: Store, address: str, write: bool = False) -> None:
        """Open the group; `address` names the store in errors.

        Raises:
            TrajectoryError: there is no Zarr group.
        """
        self._address = address
        try:
            self._group = zarr.open_group(files, mode="r+" if write else "r", zarr_format=3)
        except (OSError, ValueError, KeyError) as error:
            raise TrajectoryError(
                f"{address}: is no Zarr group: {error}; check the path"
            ) from error
        self._arrays: dict[str, zarr.Array[Any]] = {}

    @property
    def attributes(self) -> dict[str, Any]:
        """Attributes of the group."""
        return self._group.attrs.asdict()

    def read(self, column: Column, rows: slice) -> np.ndarray:
        """Return `rows` of a column.

        Raises:
            TrajectoryError: the array is missing, shorter, or cannot be decompressed.
        """
        array = self._array(column)
        if rows.stop > array.shape[0]:
            raise TrajectoryError(
                f"{self._address}/{column.path}: has {array.shape[0]} rows, {rows.stop} are "
                "committed; copy the store again"
            )
        try:
            return np.asarray(array[rows])
        except (OSError, RuntimeError, ValueError) as error:  # codecs raise all of them
            raise TrajectoryError(
                f"{self._address}/{column.path}: rows {rows.start} to {rows.stop} cannot be read: "
                f"{error}; copy the store again"
            ) from error

    def write(self, column: Column, at: int, rows: np.ndarray) -> None:
        """Put `rows` at row `at`; the array ends with them.

        Raises:
            OSError: the disk refuses.
            TrajectoryError: the chunk that they share with earlier rows cannot be decompressed.
        """
        array = self._array(column)
        if array.shape[0] != at + len(rows):
            array.resize((at + len(rows), *column.shape))
        if not len(rows):
            return
        try:
            array[at:] = rows
        except (RuntimeError, ValueError) as error:  # codecs raise both
            raise TrajectoryError(
                f"{self._address}/{column.path}: the rows before row {at} cannot be read: {error}; "
                "copy the store again"
            ) from error

    def cut(self, column: Column, rows: int) -> None:
        """Let the array end after `rows` rows.

        Raises:
            TrajectoryError: it is shorter than that.
        """
        array = self._array(column)
        if array.shape[0] < rows:
            raise TrajectoryError(
                f"{self._address}/{column.path}: has {array.shape[0]} rows, {rows} are committed; "
                "copy the store again"
            )
        if array.shape[0] > rows:
            array.resize((rows, *column.shape))

    def _array(self, column: Column) -> zarr.Array[Any]:
        if column.path not in self._arrays:
            try:
                found = self._group[column.path]
            except (OSError, ValueError, KeyError) as error:
                raise TrajectoryError(
                    f"{self._address}/{column.path}: is missing or damaged; copy the store again, "
                    "or use the software that wrote it"
                ) from error
            if (
                not isinstance(found, zarr.Array)
                or found.shape[1:] != column.shape
                or found.dtype != column.dtype
            ):
                raise TrajectoryError(
                    f"{self._address}/{column.path}: must hold {column.dtype} rows of "
                    f"{column.shape}; use the software that wrote it"
                )
            self._arrays[column.path] = found
        return self._arrays[column.path]
