"""The shared state is consistent under a busy writer, appears whole, and is gone at the end."""

from __future__ import annotations

import contextlib
import multiprocessing
import time

import numpy as np
import pytest

from hop_core.errors import TwinError
from hop_sim.shared_state import StateReader, StateWriter, TwinState, model_path


def _state(model, value: int) -> TwinState:
    return TwinState(
        stamp_ns=value,
        monotonic_ns=value,
        time_s=float(value),
        episode=value,
        seed=value,
        noise_scale=float(value),
        camera_connected=True,
        T_base_cam=np.full((4, 4), float(value)),
        qpos=np.full(model.nq, float(value)),
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "twin.state"


def _hammer(path, enough):
    """Write as fast as possible from another process until the event `enough` is set."""
    model = StateReader(path).model()
    path.unlink()
    writer, value = StateWriter(path, model), 0
    writer.write(_state(model, value))
    while not enough.is_set():
        value += 1
        writer.write(_state(model, value))
    writer.close()


def _inode(path):
    """Number of the file; None: there is none."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_ino
    return None


def test_reader_never_sees_a_mixture_of_two_writes(path, table_scene):
    first = StateWriter(path, table_scene)
    first.write(_state(table_scene, 1))
    context = multiprocessing.get_context("spawn")
    enough = context.Event()
    process = context.Process(target=_hammer, args=(path, enough))
    old = _inode(path)
    process.start()
    try:
        while _inode(path) in (None, old):
            assert process.is_alive()
            time.sleep(0.01)
        reader, seen = StateReader(path), set()
        while len(seen) < 1000:
            assert process.is_alive()
            state = reader.read()
            values = {
                state.stamp_ns,
                int(state.time_s),
                state.seed,
                *state.qpos.astype(int).tolist(),
            }
            values |= set(state.T_base_cam.astype(int).ravel().tolist())
            assert len(values) == 1
            seen |= values
    finally:
        enough.set()
        process.join(20.0)
        first.close()


def test_reader_gets_the_very_model_and_both_files_go_at_close(path, table_scene):
    writer = StateWriter(path, table_scene)
    writer.write(_state(table_scene, 3))
    reader = StateReader(path)
    assert reader.model().nq == table_scene.nq
    assert reader.model_hash == writer.model_hash
    writer.close()
    assert not path.exists()
    assert not model_path(path).exists()
    assert list(path.parent.iterdir()) == []


def test_closing_an_old_twin_leaves_the_files_of_a_newer_one(path, table_scene, monkeypatch):
    old = StateWriter(path, table_scene)
    monkeypatch.setattr("hop_sim.shared_state.os.getpid", lambda: 1)
    new = StateWriter(path, table_scene)
    monkeypatch.undo()
    old.close()
    assert path.exists()
    del new


def test_files_of_a_killed_twin_go_when_another_one_starts(tmp_path, table_scene):
    left, kept = tmp_path / "hop_twin_a_1.state", tmp_path / "hop_twin_b_1.state"
    process = multiprocessing.get_context("spawn").Process(target=_leave, args=(left, tmp_path))
    writer = StateWriter(kept, table_scene)
    process.start()
    process.join(20.0)
    assert left.exists()
    another = StateWriter(tmp_path / "hop_twin_c_1.state", table_scene)
    assert not left.exists()
    assert not model_path(left).exists()
    assert kept.exists()
    another.close()
    writer.close()


def _leave(path, folder):
    """Create a state and end without removing it."""
    StateWriter(path, StateReader(folder / "hop_twin_b_1.state").model())


def test_missing_foreign_and_unfinished_files_are_refused_in_words(path, table_scene):
    with pytest.raises(TwinError, match="start the twin"):
        StateReader(path)
    path.write_bytes(b"something else" * 20)
    with pytest.raises(TwinError, match="not the state of a twin"):
        StateReader(path)
    path.unlink()
    writer = StateWriter(path, table_scene)  # created, never written
    with pytest.raises(TwinError, match="never complete"):
        StateReader(path).read()
    model_path(path).write_bytes(b"")
    with pytest.raises(TwinError, match="model"):
        StateReader(path).model()
    writer.close()


def test_one_write_is_cheap(path, table_scene):
    writer, state = StateWriter(path, table_scene), _state(table_scene, 1)
    begin = time.process_time()
    for _ in range(1000):
        writer.write(state)
    assert (time.process_time() - begin) / 1000 < 100e-6  # measured: about 5 microseconds
    writer.close()
