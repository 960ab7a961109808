"""No child outlives its launcher, whatever ends that."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from launch import guardian

CHILD = """
import os, signal, sys, time
def end(number, _frame):
    open(sys.argv[1] + '.' + signal.Signals(number).name, 'w').close()
    sys.exit(0)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN if len(sys.argv) > 2 else end)
with open(sys.argv[1] + '.tmp', 'w') as file:
    file.write(str(os.getpid()))
os.rename(sys.argv[1] + '.tmp', sys.argv[1])
time.sleep(120)
"""


@pytest.fixture
def two_children(package, tmp_path):
    """Launch file of two processes, and the files in which they write their pids."""
    path = package.add_executable("child.py", CHILD)
    notes = [tmp_path / "one", tmp_path / "two"]
    processes = [f"ExecuteProcess(cmd=[{str(path)!r}, {str(note)!r}])" for note in notes]
    return package.add_launch_file("two.launch.py", ", ".join(processes)), notes


@pytest.fixture
def pids(wait_until):
    """Wait for processes to write their pids and return them."""

    def wait_for_pids(notes: list[Path]) -> list[int]:
        assert wait_until(lambda: all(note.exists() for note in notes))
        return [int(note.read_text()) for note in notes]

    return wait_for_pids


def all_gone(children: list[int]) -> bool:
    """Return whether none runs; a zombie of a container without init does not."""
    running = [psutil.Process(pid) for pid in children if psutil.pid_exists(pid)]
    return all(process.status() == psutil.STATUS_ZOMBIE for process in running)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_ending_signal_ends_the_children_by_sigint_and_the_launcher_with_1(
    launcher, two_children, pids, number
):
    path, notes = two_children
    process = launcher(str(path))
    children = pids(notes)
    process.send_signal(number)
    assert process.wait(timeout=60) == 1
    assert all_gone(children)
    assert all(note.with_name(f"{note.name}.SIGINT").exists() for note in notes)


def test_a_killed_launcher_takes_its_children_with_it(launcher, two_children, pids, wait_until):
    path, notes = two_children
    process = launcher(str(path))
    children = pids(notes)
    process.kill()
    assert wait_until(lambda: all_gone(children))
    assert all(note.with_name(f"{note.name}.SIGINT").exists() for note in notes)


def test_the_guardian_kills_a_child_that_ignores_signals(package, tmp_path, pids, wait_until):
    child = package.add_executable("child.py", CHILD)
    note = tmp_path / "stubborn"
    process = subprocess.Popen([str(child), str(note), "stubborn"])
    pids([note])
    command = [sys.executable, "-S", guardian.__file__, "0.2"]
    subprocess.run(command, input=f"+{process.pid}\n", text=True, timeout=60, check=True)
    assert process.wait(timeout=30) == -signal.SIGKILL


def test_the_guardian_leaves_alone_what_the_launcher_has_ended():
    with subprocess.Popen(["sleep", "30"]) as process:
        command = [sys.executable, "-S", guardian.__file__, "0.2"]
        lines = f"+{process.pid}\n-{process.pid}\n"
        subprocess.run(command, input=lines, text=True, timeout=60, check=True)
        assert process.poll() is None
        process.kill()


@pytest.mark.slow
def test_a_killed_launcher_takes_even_children_that_ignore_signals(
    launcher, package, tmp_path, pids, wait_until
):
    child = package.add_executable("child.py", CHILD)
    note = tmp_path / "stubborn"
    text = f"ExecuteProcess(cmd=[{str(child)!r}, {str(note)!r}, 'stubborn'])"
    process = launcher(str(package.add_launch_file("one.launch.py", text)))
    children = pids([note])
    guardian = [
        each.pid for each in psutil.Process(process.pid).children() if each.pid not in children
    ]
    process.kill()
    assert wait_until(lambda: all_gone(children + guardian), timeout_s=25.0)


def test_no_guardian_stays_behind(launcher, two_children, pids, wait_until):
    path, notes = two_children
    process = launcher(str(path))
    children = pids(notes)
    family = [each.pid for each in psutil.Process(process.pid).children(recursive=True)]
    assert len(family) == 3
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    assert all_gone(family + children)


def test_a_launcher_that_was_told_to_ignore_sigint_obeys_it(
    launcher, two_children, pids, wait_until
):
    path, notes = two_children
    before = signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # as a script does to what it starts with &
    try:
        process = launcher(str(path))
    finally:
        signal.signal(signal.SIGINT, before)
    children = pids(notes)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 1
    assert all_gone(children)
