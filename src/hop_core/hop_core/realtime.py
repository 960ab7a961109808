"""Real-time scheduling of the workspace's processes, and who goes before whom.

The priority is that of a whole process. Python's threads take turns on one lock: a loop of high
priority would wait for the lock while a thread of normal priority, which holds it, waits for a core
that everybody else has. Threads inherit the scheduling of the thread that starts them, so a process
asks once, at its start, before DDS, executor and loop have threads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

_TASKS = Path("/proc/self/task")
_CALLING_THREAD = 0


class Priority(IntEnum):
    """Priorities under SCHED_RR; a higher one interrupts a lower one.

    Who has the shorter period goes first, but what others would wait for (the twin, the supervisor)
    goes before them. All are low among the kernel's 1 to 99: its own threads stay above. What is
    not listed, such as the recorder, runs as any program does: its work may wait.
    """

    CAMERA = 1
    POLICY = 2
    SUPERVISOR = 3
    ARM = 4
    HAND = 5
    TWIN = 6


@dataclass(frozen=True)
class Scheduling:
    """How a process, or a thread, is scheduled.

    Attributes:
        priority: under SCHED_RR; None: as any program.
        refusal: why it is not what was asked for; empty if it is.
    """

    priority: int | None
    refusal: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        if self.priority is not None:
            return f"real-time priority {self.priority}"
        return f"no real-time priority: {self.refusal}; see hop doctor"


def schedule(priority: Priority) -> Scheduling:
    """Ask the kernel for SCHED_RR at `priority` for this process, threads to come included.

    Without the permission everything runs on as any program does, and the outcome says so.
    """
    # Threads that libraries started while they were imported must not be left behind.
    return _ask((int(task.name) for task in _TASKS.iterdir()), priority)


@contextmanager
def scheduled(priority: Priority) -> Iterator[Scheduling]:
    """Schedule this process so, as by `schedule`, while a block runs; as any program afterwards."""
    scheduling = schedule(priority)
    try:
        yield scheduling
    finally:
        if scheduling.priority is not None:
            for task in _TASKS.iterdir():
                make_ordinary(int(task.name))


def probe(priority: Priority) -> Scheduling:
    """Return what `schedule` would do, tried on a thread that ends at once."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_ask, (_CALLING_THREAD,), priority).result()


def _ask(threads: Iterable[int], priority: Priority) -> Scheduling:
    if not hasattr(os, "sched_setscheduler"):
        return Scheduling(None, "this system has none")
    for thread in threads:
        try:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(priority))
        except OSError as error:
            return Scheduling(None, str(error.strerror))
    return Scheduling(int(priority))


def make_ordinary(pid: int) -> None:
    """Let a thread, or a child process that was just started and loads, run as any program does.

    The flag SCHED_RESET_ON_FORK cannot do it: it would hold for new threads too, and only a
    privileged process may take it back.
    """
    if hasattr(os, "sched_setscheduler"):
        with suppress(ProcessLookupError):  # it has ended already
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
