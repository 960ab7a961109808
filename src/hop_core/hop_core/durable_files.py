"""Files that are whole or absent, whatever ends the program or the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, force it to the disk and rename it.

    A kill leaves the old file or the new one, and at most a hidden `.partial` beside it.

    Raises:
        OSError: the disk is full or refuses; nothing is left of the new file then.
    """
    replace_files(path.parent, {path.name: content})


def replace_files(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Replace files of `folder` that belong together: all of them, or none.

    All are on the disk before the first is renamed, so a disk that fills up leaves the old ones.
    Only a kill, or a disk that fails, between two renames can leave some new and some old; they
    are made in the order of `contents`.

    Args:
        folder: where the files are.
        contents: what each holds, by its name.

    Raises:
        OSError: the disk is full or refuses; nothing is left of the new files then.
    """
    paths = [folder / name for name in contents]
    try:
        for path, content in zip(paths, contents.values(), strict=True):
            partial_of(path).write_bytes(content)
            sync_path(partial_of(path))
        for path in paths:
            partial_of(path).replace(path)
        sync_path(folder)
    except BaseException:
        for path in paths:
            partial_of(path).unlink(missing_ok=True)
        raise


def partial_of(path: Path) -> Path:
    """Return where `path` is written before it is committed."""
    return path.with_name(f".{path.name}.partial")


def commit_file(beside: Path, path: Path) -> None:
    """Force a complete file to the disk and give it its name."""
    sync_path(beside)
    beside.replace(path)
    sync_path(path.parent)


def sync_path(path: Path) -> None:
    """Force a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
