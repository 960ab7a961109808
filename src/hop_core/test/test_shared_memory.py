"""Only what nobody holds any more is removed from /dev/shm."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest

from hop_core.nodes.shared_memory import remove_orphans

SEGMENT = "fastrtps_0123456789abcdef"
PORT = "fastrtps_port7411"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A segment and a port of ten seconds ago, and files of others."""
    names = [SEGMENT, f"{SEGMENT}_el", PORT, f"{PORT}_sl", f"sem.{PORT}_mutex", "sem.mp-x", "hop"]
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - 10.0,) * 2)
    return tmp_path


def test_files_of_dead_owners_are_removed_and_no_others(folder: Path) -> None:
    assert remove_orphans(folder) == [SEGMENT, PORT]
    assert sorted(path.name for path in folder.iterdir()) == ["hop", "sem.mp-x"]


def test_a_port_without_a_lock_file_has_no_owner(folder: Path) -> None:
    (folder / f"{PORT}_sl").unlink()
    assert PORT in remove_orphans(folder)


@pytest.mark.parametrize("kind", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_a_locked_segment_stays(folder: Path, kind: int) -> None:
    with (folder / f"{SEGMENT}_el").open() as owner:
        fcntl.flock(owner, kind)
        assert remove_orphans(folder) == [PORT]
    assert (folder / SEGMENT).exists()


def test_a_file_that_was_just_created_stays(folder: Path) -> None:
    os.utime(folder / f"{SEGMENT}_el")
    assert remove_orphans(folder) == [PORT]
