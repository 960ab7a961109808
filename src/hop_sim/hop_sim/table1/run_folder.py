"""The folder of a run: one process at a time, and a sentence where it takes no files."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hop_core.errors import HopError

_LOCK = "lock"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Keep other processes from running jobs in the folder, which is made.

    Raises:
        HopError: another one is at it, or the folder cannot be written to.
    """
    with writable(out):
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / _LOCK).open("ab")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise HopError(f"{out}: another run is at work here; wait for it or stop it") from error
        yield


@contextmanager
def writable(out: Path, job: str = "") -> Iterator[None]:
    """Say in a sentence that the folder of a run takes no files; `job` names the one at work.

    Raises:
        HopError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        whose = f"'{job}' failed: " if job else ""
        raise HopError(
            f"{whose}{out}: cannot be written to: {error.strerror}; make room or choose another "
            "--out"
        ) from error
