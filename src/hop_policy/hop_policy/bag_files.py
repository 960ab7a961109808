"""Where episodes lie on the disk, complete and unfinished, and the move from one to the other."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from hop_core.errors import BagError

PART_DIR = ".part"
"""Folder beside the episodes of a task that holds the unfinished ones."""
INFO_FILE = "episode.json"
"""Provenance beside an unfinished bag, for repair; its writer locks it and removes it."""
METADATA_FILE = "metadata.yaml"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def require_name(what: str, name: str) -> None:
    """Pass if `name` can name the folder of a task or an episode (`what` says which).

    Raises:
        BagError: it has other characters, or starts with a dot and would be hidden.
    """
    if not _NAME.fullmatch(name):
        raise BagError(
            f"{what} name {name!r} is not usable: use letters, digits, '_', '-', '.', no dot first"
        )


def require_not_recording(part: Path) -> None:
    """Pass if no living process writes the unfinished episode `part`.

    Raises:
        BagError: one does.
    """
    file = part / INFO_FILE
    if not file.is_file():
        return
    with file.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BagError(
                f"{part} is being recorded right now: stop the recorder first"
            ) from error


def complete(part: Path, path: Path) -> None:
    """Move the complete bag `part` to its place `path`, safe against a power loss in between.

    Raises:
        OSError: the disk failed or `path` exists.
    """
    for file in part.iterdir():
        if file.name != INFO_FILE:
            fsync(file)
    (part / INFO_FILE).unlink(missing_ok=True)
    fsync(part)
    part.rename(path)
    fsync(path.parent)
    remove_if_empty(part.parent)


def fsync(path: Path) -> None:
    """Force a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing any more."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
