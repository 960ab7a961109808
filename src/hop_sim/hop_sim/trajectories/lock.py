"""The lock of a store: one process writes, whatever it writes."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.commit import COMMIT_FILE

_LOCK_FILE = "lock"


def lock_store(path: Path) -> IO[bytes]:
    """Return the open lock of the store at `path`, held by this process until it is closed.

    Raises:
        TrajectoryError: there is no store, it may not be written, or another process writes it.
    """
    if not (path / COMMIT_FILE).is_file():
        raise TrajectoryError(
            f"{path}: is no trajectory store: it has no {COMMIT_FILE}; check the path"
        )
    try:
        lock = (path / _LOCK_FILE).open("ab")
    except OSError as error:
        raise TrajectoryError(f"{path}: cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise TrajectoryError(
            f"{path}: is being written by another process; wait for it or stop it"
        ) from error
    return lock
