"""The folder of a report: page, pictures and numbers, all of them or none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from hop_core.durable_files import commit_file, partial_of, sync_path
from hop_core.errors import TrajectoryError


def require_free(folder: Path) -> None:
    """Pass if a report can go to `folder`: nothing is there, or an empty folder.

    Raises:
        TrajectoryError: something is there.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise TrajectoryError(f"{folder}: is there already; remove it or choose another place")


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` into a new `folder`, which gets its name when all are on the disk.

    Raises:
        TrajectoryError: something is there, or the disk refuses; nothing is left then.
    """
    require_free(folder)
    folder = folder.absolute()
    beside = partial_of(folder)
    try:
        if beside.exists():
            shutil.rmtree(beside)
        beside.mkdir(parents=True)
        for name, content in files.items():
            (beside / name).write_bytes(content)
            sync_path(beside / name)
        commit_file(beside, folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise TrajectoryError(
            f"{folder}: cannot be written: {error.strerror}; make room or choose another place"
        ) from error


def json_file(value: object) -> bytes:
    """Return `value` as the content of a JSON file."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
