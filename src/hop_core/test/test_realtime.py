"""Real-time scheduling: for a whole process, reported either way, not passed on to children."""

import os
import subprocess
import sys
import threading

import pytest

from hop_core import doctor_machine
from hop_core.health import Health
from hop_core.realtime import Priority, Scheduling, probe, schedule, scheduled

PERMITTED = probe(max(Priority)).priority is not None
ASKS = """
import os, subprocess, sys, threading
from hop_core.realtime import Priority, make_ordinary, schedule

SHOW = "import os; print(os.sched_getscheduler(0), os.sched_getparam(0).sched_priority, flush=True)"
if "refused" in sys.argv:
    import resource
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    if os.getuid() == 0:
        os.setuid(65534)
print(schedule(Priority.CAMERA), flush=True)
if "child" in sys.argv:
    child = subprocess.Popen([sys.executable, "-c", "input();" + SHOW], stdin=subprocess.PIPE)
    make_ordinary(child.pid)
    child.communicate(b"\\n")
thread = threading.Thread(target=exec, args=(SHOW,))
thread.start()
thread.join()
exec(SHOW)
"""


def ask(argument: str) -> list[str]:
    """Return what a process prints: the outcome, then how child, new thread and itself are run."""
    return subprocess.run(
        [sys.executable, "-c", ASKS, argument],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60.0,
    ).stdout.splitlines()


@pytest.mark.skipif(not PERMITTED, reason="real-time scheduling is not permitted: see hop doctor")
def test_new_threads_have_the_priority_and_children_do_not() -> None:
    real_time, ordinary = f"{os.SCHED_RR} {Priority.CAMERA}", f"{os.SCHED_OTHER} 0"
    assert ask("child") == ["real-time priority 1", ordinary, real_time, real_time]


def test_without_permission_all_runs_on_as_any_program_and_says_so() -> None:
    ordinary = f"{os.SCHED_OTHER} 0"
    refusal = "no real-time priority: Operation not permitted; see hop doctor"
    assert ask("refused") == [refusal, ordinary, ordinary]


def test_every_thread_that_is_there_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}
    monkeypatch.setattr(
        os, "sched_setscheduler", lambda tid, *how: asked.update({tid: (how[0], how[1])})
    )
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert schedule(Priority.HAND) == Scheduling(5)
    finally:
        stop.set()
        thread.join()
    assert {threading.get_native_id(), thread.native_id} <= asked.keys()
    assert set(asked.values()) == {(os.SCHED_RR, os.sched_param(5))}


def test_a_thread_that_ended_meanwhile_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def vanish(*_: object) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "sched_setscheduler", vanish)
    assert schedule(Priority.ARM) == Scheduling(4)


def test_a_shorter_period_goes_first() -> None:
    assert Priority.TWIN > Priority.HAND > Priority.ARM > Priority.SUPERVISOR > Priority.POLICY


def test_a_missing_permission_is_told_with_both_ways_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor_machine, "probe", lambda _: Scheduling(None, "not permitted"))
    finding = doctor_machine.real_time()
    assert finding.state is Health.WARN
    assert "limits.d" in finding.fix
    assert "rtprio=20" in finding.fix
    monkeypatch.setattr(doctor_machine, "probe", Scheduling)
    assert doctor_machine.real_time().state is Health.OK


@pytest.mark.skipif(not PERMITTED, reason="real-time scheduling is not permitted: see hop doctor")
def test_a_block_is_scheduled_and_what_follows_is_not() -> None:
    with scheduled(Priority.CAMERA) as scheduling:
        assert scheduling == Scheduling(Priority.CAMERA)
        assert os.sched_getscheduler(0) == os.SCHED_RR
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
