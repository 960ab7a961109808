"""Checks of the machine: Python, processors, memory, shared memory, real time, punctual sleep."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from hop_core.embodiment import load_embodiment
from hop_core.health import DoctorContext, Finding, Health
from hop_core.rate import DeadlineLoop, LoopStats
from hop_core.realtime import Priority, probe

SHARED_MEMORY = Path("/dev/shm")
MEMINFO = Path("/proc/meminfo")
PYTHONS = ((3, 11), (3, 12))  # where the pinned versions resolve
_MB = 1 << 20
_CORES = 2
_MEMORY_MB = 2000
# A launch has eight DDS participants, each with a segment of 8 MB (config/fastdds.xml) and ports.
_SHARED_MB = 80
_LISTEN_S = 1.0
_LATE_MS = 2.0  # of the 3 ms between two sets of the hand


def check(_context: DoctorContext) -> Iterable[Finding]:
    """Return the findings about this machine; takes a second."""
    return [python(), processors(), memory(), shared_memory(), real_time(), sleeping()]


def python(version: tuple[int, int] | None = None) -> Finding:
    """Return whether the interpreter (default: this one) is one that the pins resolve on."""
    version = version or sys.version_info[:2]
    found = f"{platform.python_version()} in {sys.prefix}"
    if version in PYTHONS:
        return Finding("Python", Health.OK, found)
    health = Health.MISS if version < PYTHONS[0] else Health.WARN
    return Finding(
        "Python", health, found, "make distclean, then make build PYTHON=python3.12 (or 3.11)"
    )


def processors() -> Finding:
    """Return how many processor cores this process may use, and how loaded the machine is."""
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    found = f"{cores} cores, load {load:.1f}"
    if cores < _CORES:
        return Finding(
            "processors", Health.WARN, found, f"give this machine {_CORES} cores or more"
        )
    if load > cores:
        return Finding("processors", Health.WARN, found, "end what else runs on this machine")
    return Finding("processors", Health.OK, found)


def memory(meminfo: Path = MEMINFO) -> Finding:
    """Return how much memory is available."""
    available_mb = _available_mb(meminfo)
    if available_mb is None:
        return Finding("memory", Health.WARN, f"{meminfo} cannot be read", "look for yourself")
    found = f"{available_mb} MB available"
    if available_mb < _MEMORY_MB:
        fix = f"free memory: twin, nodes and policy want {_MEMORY_MB} MB together"
        return Finding("memory", Health.WARN, found, fix)
    return Finding("memory", Health.OK, found)


def _available_mb(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    for line in lines:
        key, _, value = line.partition(":")
        if key == "MemAvailable":
            return int(value.split()[0]) // 1024
    return None


def shared_memory(folder: Path = SHARED_MEMORY) -> Finding:
    """Return how much shared memory is free for DDS, which carries the images through it."""
    try:
        stat = os.statvfs(folder)
    except OSError as error:
        fix = f"mount a tmpfs at {folder}"
        return Finding("shared memory", Health.MISS, f"{folder}: {error.strerror}", fix)
    free_mb = stat.f_bavail * stat.f_frsize // _MB
    found = f"{free_mb} MB free in {folder}"
    if free_mb >= 2 * _SHARED_MB:
        return Finding("shared memory", Health.OK, found)
    health = Health.WARN if free_mb >= _SHARED_MB else Health.MISS
    fix = (
        f"a launch needs {_SHARED_MB} MB, two side by side twice that: remove what killed programs "
        f"left ({folder}/fastrtps_*, while none runs) or enlarge it (mount -o remount,size=512M "
        f"{folder}; a container: --shm-size=512m)"
    )
    return Finding("shared memory", health, found, fix)


def real_time() -> Finding:
    """Return whether the loops may have real-time priority."""
    outcome = probe(max(Priority))
    if outcome.priority is not None:
        return Finding("real-time priority", Health.OK, f"up to {outcome.priority} (SCHED_RR)")
    fix = (
        "without it arm, hand and policy wait for cores like any program: write '@GROUP - rtprio "
        "20', with a group of yours, to /etc/security/limits.d/realtime.conf and log in anew; a "
        "container: --ulimit rtprio=20 --cap-add=sys_nice"
    )
    return Finding("real-time priority", Health.WARN, outcome.refusal, fix)


def sleeping(seconds: float = _LISTEN_S) -> Finding:
    """Return how punctually a loop at the hand's rate wakes up, measured for `seconds`."""
    period_s = load_embodiment().rates.hand_period_s
    stats = _bare_loop(round(period_s * 1e9), seconds)
    found = (
        f"{1.0 / period_s:.0f} Hz: 99 % at most {stats.late_p99_ms:.2f} ms late, "
        f"{stats.missed} of {stats.ticks + stats.missed} missed"
    )
    # A wake-up that is late by a period or more is counted as missed, and late by the rest only.
    if stats.late_p99_ms <= _LATE_MS and stats.missed <= 0.01 * (stats.ticks + stats.missed):
        return Finding("punctual sleep", Health.OK, found)
    fix = (
        "end what else runs on this machine and set its power profile to performance; a guest of "
        "a busy host cannot do better"
    )
    return Finding("punctual sleep", Health.WARN, found, fix)


def _bare_loop(period_ns: int, seconds: float) -> LoopStats:
    loop = DeadlineLoop(period_ns, lambda _deadline_ns: None, "doctor")
    loop.start()
    time.sleep(seconds)
    loop.stop()
    return loop.stats()
