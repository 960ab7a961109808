"""Files that are whole or absent, whatever ends the program or the machine."""

from __future__ import annotations

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, force it to the disk and rename it.

    A kill leaves the old file or the new one, and at most a hidden `.partial` beside it.

    Raises:
        OSError: the disk is full or refuses; nothing is left of the new file then.
    """
    beside = partial_of(path)
    try:
        beside.write_bytes(content)
        commit_file(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
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
