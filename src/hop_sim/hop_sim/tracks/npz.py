"""Arrays of a `.npz` file, without unpickling anything, and one sentence when it is damaged."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from hop_core.errors import TrackError

_DAMAGED = (ValueError, EOFError, OSError, KeyError, zipfile.BadZipFile, zlib.error)


def read_bytes(path: Path) -> bytes:
    """Return what the file holds.

    Raises:
        TrackError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise TrackError(f"{path}: cannot be read: {error.strerror}; check the path") from error


def read_npz(
    path: Path, needed: Collection[str], optional: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of `path` by name.

    Args:
        path: a `.npz` file.
        needed: names that it must hold.
        optional: further names that are read; None: those in `needed` only, whatever else it holds.

    Raises:
        TrackError: the file is missing, truncated or lacks an array; with `optional` given, also if
            it holds an array of another name.
    """
    return arrays_of(read_bytes(path), path, needed, optional)


def arrays_of(
    content: bytes, path: Path, needed: Collection[str], optional: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Return the arrays of a `.npz` file whose bytes were read already; see `read_npz`."""
    try:
        archive = np.load(io.BytesIO(content), allow_pickle=False)
        names = list(archive.files)
    except (*_DAMAGED, AttributeError) as error:
        raise TrackError(
            f"{path}: is truncated or no .npz file ({len(content)} bytes); copy it again"
        ) from error
    missing = [name for name in needed if name not in names]
    if missing:
        raise TrackError(f"{path}: {missing[0]}: is missing; the file holds {_listed(names)}")
    if optional is not None:
        unknown = sorted(set(names) - {*needed, *optional})
        if unknown:
            allowed = _listed([*needed, *optional])
            raise TrackError(f"{path}: {unknown[0]}: unknown array; known ones are {allowed}")
    return {
        name: _array(archive, name, path)
        for name in names
        if name in needed or name in (optional or ())
    }


def _array(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> np.ndarray:
    try:
        return np.asarray(archive[name])
    except _DAMAGED as error:
        raise TrackError(
            f"{path}: {name}: is damaged or holds Python objects: {str(error) or 'truncated'}"
        ) from error


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "nothing"
