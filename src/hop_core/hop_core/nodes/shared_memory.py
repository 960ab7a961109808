"""Removal of the shared memory that killed DDS processes leave behind.

Fast DDS keeps each participant's segments and each port in /dev/shm. A living owner holds a lock on
a file `<name>_el` (exclusive) or `<name>_sl` (shared) beside them; a process that was killed frees
the lock and leaves the files: 9 MB each time.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path

FOLDER = Path("/dev/shm")
PREFIX = "fastrtps_"
LOCKS = ("_el", "_sl")
NEW_S = 2.0  # Fast DDS creates files before it locks them


def remove_orphans(folder: Path = FOLDER) -> list[str]:
    """Remove the segments and ports of Fast DDS whose owner is gone; return their names.

    What is younger than two seconds, or belongs to another user, stays.
    """
    found = {_owner_name(path.name) for path in folder.glob(f"{PREFIX}*")}
    orphans = sorted(name for name in found if _is_orphan(folder, name))
    return [name for name in orphans if _remove(folder, name)]


def _owner_name(file_name: str) -> str:
    """Return the name of the segment or port that a file belongs to."""
    return file_name[:-3] if file_name.endswith(LOCKS) else file_name


def _is_orphan(folder: Path, name: str) -> bool:
    files = [folder / name, *(folder / f"{name}{lock}" for lock in LOCKS)]
    try:
        created_s = [path.stat().st_mtime for path in files if path.exists()]
        return (
            bool(created_s)
            and time.time() - max(created_s) > NEW_S
            and not any(_is_locked(path) for path in files[1:] if path.exists())
        )
    except OSError:  # another process removed it first, or it is not ours
        return False


def _is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _remove(folder: Path, name: str) -> bool:
    files = (name, *(f"{name}{lock}" for lock in LOCKS), f"sem.{name}_mutex")
    try:
        for file in files:
            (folder / file).unlink(missing_ok=True)
    except PermissionError:
        return False
    return True
