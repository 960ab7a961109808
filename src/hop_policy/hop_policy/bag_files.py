"""Where episodes lie on the disk, complete and unfinished, and the move from one to the other."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from hop_core.durable_files import sync_path
from hop_core.errors import BagError

MB = 1_000_000
"""Bytes, of `min_free_mb`."""
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


def new_place(
    root: Path, task: str, episode_id: str, work_dir: str, repeatable: bool
) -> tuple[Path, Path]:
    """Return the place of a new episode and that of its unfinished part; both are free.

    Args:
        root: folder of all episodes.
        task: name of the task.
        episode_id: name of the episode.
        work_dir: folder beside the episodes that holds unfinished ones.
        repeatable: remove what an earlier attempt at this episode left unfinished.

    Raises:
        BagError: a name is not usable, or a place is taken.
    """
    require_name("task", task)
    require_name("episode", episode_id)
    place, part = root / task / episode_id, root / task / work_dir / episode_id
    if repeatable and part.exists():
        require_not_recording(part)
        shutil.rmtree(part)
    for path in (place, part):
        if path.exists():
            raise BagError(
                f"{path} exists already: choose another episode name or run 'hop demos repair'"
            )
    return place, part


def require_room(root: Path, min_free_mb: int) -> None:
    """Pass if `root`, made if missing, can be written to and has room for a recording.

    Raises:
        BagError: it cannot be made, or has less than `min_free_mb` MB free.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        if not os.access(root, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        free_mb = shutil.disk_usage(root).free / MB
    except OSError as error:
        raise BagError(
            f"cannot record into {root}: {error.strerror}; check recorder.yaml's root"
        ) from error
    if free_mb < min_free_mb:
        raise BagError(
            f"only {free_mb:.0f} MB are free in {root}, {min_free_mb} are needed: "
            f"make room or choose another root"
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
            sync_path(file)
    (part / INFO_FILE).unlink(missing_ok=True)
    sync_path(part)
    part.rename(path)
    sync_path(path.parent)
    remove_if_empty(part.parent)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder unless it holds something, or another recorder has removed it already."""
    with suppress(OSError):  # one system call, so that recorders side by side cannot disagree
        folder.rmdir()
