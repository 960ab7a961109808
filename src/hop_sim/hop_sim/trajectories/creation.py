"""Making an empty store: beside its name, then renamed, so that there is a whole one or none."""

from __future__ import annotations

import shutil
from pathlib import Path

from hop_core.durable_files import commit_file, partial_of, sync_path
from hop_core.errors import TrajectoryError
from hop_sim.trajectories.arrays import create_arrays
from hop_sim.trajectories.commit import COMMIT_FILE, Commit, write_commit
from hop_sim.trajectories.header import ATTRIBUTE, StoreHeader
from hop_sim.trajectories.place import DurableStore
from hop_sim.trajectories.rows import OBJECTS_FILE, TRACKS_FILE


def create_store(path: Path, header: StoreHeader) -> None:
    """Make an empty store at `path`, which must be free or an empty folder.

    Raises:
        TrajectoryError: something is there, or the disk refuses.
    """
    if path.parts and path.parts[0].endswith(":"):
        raise TrajectoryError(
            f"{path}: is a URL, and stores are made on this machine's disk only; make it there and "
            "copy it"
        )
    if (path / COMMIT_FILE).exists():
        raise TrajectoryError(f"{path}: holds a trajectory store already; choose another place")
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise TrajectoryError(f"{path}: is there and is no trajectory store; choose another place")
    path = path.absolute()
    beside = partial_of(path)
    try:
        if beside.exists():
            shutil.rmtree(beside)
        beside.mkdir(parents=True)
        create_arrays(DurableStore(beside), {ATTRIBUTE: header.model_dump(mode="json")})
        for name in (TRACKS_FILE, OBJECTS_FILE):
            (beside / name).touch()
        write_commit(beside, Commit.nothing())
        for each in sorted(beside.rglob("*")):
            sync_path(each)
        commit_file(beside, path)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise TrajectoryError(
            f"{path}: cannot be made: {error.strerror}; make room or choose another place"
        ) from error
