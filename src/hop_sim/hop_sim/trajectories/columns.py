"""What a column of the store is, and how a dataclass declares its columns, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

import numpy as np


@dataclass(frozen=True)
class Column:
    """One array of the store, a row per frame, trajectory or object.

    Attributes:
        folder, name: place in the store, `folder/name`.
        dtype: of its values.
        shape: of one row.
        unit: of its values; "1" for shares, numbers and flags.
        text: what it holds, with its frame.
    """

    folder: str
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    unit: str
    text: str

    @property
    def path(self) -> str:
        """Where the array is in the store."""
        return f"{self.folder}/{self.name}"

    @property
    def row_bytes(self) -> int:
        """Bytes of one row, uncompressed."""
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))

    def array(self, rows: Any) -> np.ndarray:
        """Return `rows` as an array (N, *shape) of this column's dtype, contiguous.

        Raises:
            ValueError: they have another shape, or do not convert.
        """
        try:
            values = np.ascontiguousarray(rows, dtype=self.dtype)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}: must be numbers: {error}") from error
        if values.shape[1:] != self.shape or values.ndim != len(self.shape) + 1:
            wanted = ", ".join(["N", *map(str, self.shape)])
            raise ValueError(f"{self.name}: must be ({wanted}), got {values.shape}")
        return values


@dataclass(frozen=True)
class Cells:
    """What one row of a column holds, as the annotation of a dataclass's field.

    Attributes:
        dtype, unit, text, shape: see `Column`.
    """

    dtype: str
    unit: str
    text: str
    shape: tuple[int, ...] = ()


def columns_of(cls: Any, folder: str) -> tuple[Column, ...]:
    """Return the columns that the dataclass `cls` declares, in the order of its fields.

    Each field is annotated `Annotated[type, Cells(...)]`.
    """
    columns = []
    for name, hint in get_type_hints(cls, include_extras=True).items():
        cells: Cells = hint.__metadata__[0]
        dtype = np.dtype(cells.dtype).newbyteorder("<")
        columns.append(Column(folder, name, dtype, cells.shape, cells.unit, cells.text))
    return tuple(columns)


def stacked(columns: Sequence[Column], records: Sequence[Any]) -> dict[str, np.ndarray]:
    """Return a row per record of `records`, by the path of each column.

    Raises:
        ValueError: a value has another shape than its column.
    """
    if not records:
        return {each.path: np.zeros((0, *each.shape), each.dtype) for each in columns}
    return {
        each.path: each.array([getattr(record, each.name) for record in records])
        for each in columns
    }
