"""The twin as a process: clean end, ports in use, two side by side, and what it costs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from hop_core.parent_process import EXIT_WITH_PARENT
from hop_core.realtime import Priority, probe
from hop_sim.shared_state import model_path, state_path
from hop_sim.twin import Twin
from hop_sim.twin_client import TwinClient

NET = os.environ["HOP_TEST_NET"]
PORT = 29600
WAIT_S = 60.0


def _start(address: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "hop_sim.twin_cli", "run", "--address", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


@pytest.fixture
def start():
    running = []

    def begin(address):
        process = _start(address)
        running.append(process)
        return process

    yield begin
    for process in running:
        process.terminate()
        process.communicate(timeout=30.0)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, None])
def test_twin_ends_cleanly_and_leaves_no_file(start, ending):
    address = f"{NET}.{42 + [signal.SIGINT, signal.SIGTERM, None].index(ending)}"
    process = start(address)
    with TwinClient(address, PORT, wait_s=WAIT_S) as client:
        client.hello()
        assert state_path(address, PORT).exists()
        if ending is None:
            client.shutdown()
        else:
            process.send_signal(ending)
        assert process.wait(30.0) == 0
    assert not state_path(address, PORT).exists()
    assert not model_path(state_path(address, PORT)).exists()
    assert str(probe(Priority.TWIN)) in process.stdout.read()  # granted or not, it is said
    assert process.stderr.read() == ""


def test_told_twice_to_end_it_waits_for_the_drivers_as_long_as_told_once():
    """A launch passes on to the twin what the whole group got: hardware does not vanish by that."""
    twin = SimpleNamespace(_end_by_ns=None)
    Twin.stop(twin, 4.0)
    first_ns = twin._end_by_ns
    Twin.stop(twin, 4.0)
    assert twin._end_by_ns == first_ns > time.monotonic_ns()
    Twin.stop(twin)
    assert twin._end_by_ns <= time.monotonic_ns()


def test_it_ends_when_its_launcher_is_killed():
    """One that is killed tells nobody, and the twin would keep its ports."""
    address = f"{NET}.48"
    launcher = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys; subprocess.run([sys.executable, *sys.argv[1:]])",
            *("-m", "hop_sim.twin", "--address", address),
        ],
        stdout=subprocess.DEVNULL,
        env={
            **os.environ,
            EXIT_WITH_PARENT: "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    with TwinClient(address, PORT, wait_s=WAIT_S) as client:
        client.hello()
    (twin,) = psutil.Process(launcher.pid).children()
    launcher.kill()
    launcher.wait(20.0)
    assert psutil.wait_procs([twin], timeout=30.0)[1] == []


def test_second_twin_on_the_same_address_fails_with_one_sentence_and_another_address_works(start):
    start(f"{NET}.45")
    with TwinClient(f"{NET}.45", PORT, wait_s=WAIT_S) as client:
        second = start(f"{NET}.45")
        assert second.wait(60.0) == 1
        error = second.stderr.read()
        assert error.count("\n") == 1
        assert "in use" in error
        assert "--address" in error
        start(f"{NET}.46")
        with TwinClient(f"{NET}.46", PORT, wait_s=WAIT_S) as other:
            assert other.hello()["state_file"] != client.hello()["state_file"]


def test_idle_twin_costs_little_and_keeps_the_world_on_time(start):
    process = start(f"{NET}.47")
    with TwinClient(f"{NET}.47", PORT, wait_s=WAIT_S) as client:
        watched = psutil.Process(process.pid)

        def lead_s():
            """Return the world's time with its counted slip, relative to the clock's.

            A reply in a stall does not know of it yet: the most punctual of some counts.
            """
            found = []
            for _ in range(40):
                state = client.state()
                world_s = state["time_s"] + state["loop"]["slip_s"]
                found.append(world_s - state["stamp_ns"] * 1e-9)
                time.sleep(0.01)
            return max(found)

        lead, before, begin = lead_s(), client.state(), watched.cpu_times()
        time.sleep(0.5)
        after, end = client.state(), watched.cpu_times()
        assert lead_s() == pytest.approx(lead, abs=0.01)
        world_s = after["time_s"] - before["time_s"]
        assert world_s > 0.0
        assert (end.user + end.system - begin.user - begin.system) / world_s < 0.5
