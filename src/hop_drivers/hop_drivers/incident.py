"""The last seconds before a fault: kept in a ring, written to a folder when one happens."""

from __future__ import annotations

import json
import platform
import shutil
import threading
import time
import zipfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from hop_core.durable_files import commit_file, partial_of, sync_path
from hop_core.embodiment import JOINT_NAMES
from hop_core.state_report import StateReport

_PACKAGES = ("hop_drivers", "xarm-python-sdk", "python-can", "numpy", "mujoco")


class IncidentRecorder:
    """A ring of joint states and commands, and of the state reports of the same time.

    `sample` and `report` are called by the supervisor's threads and cost microseconds; `write`
    starts a thread of its own.
    """

    def __init__(self, folder: Path, seconds: float, rate_hz: float) -> None:
        """Reserve the ring; `rate_hz` is how often `sample` will be called."""
        self._folder = folder
        rows = max(1, round(seconds * rate_hz))
        self._stamp_ns = np.zeros(rows, dtype=np.int64)
        self._measured = np.zeros((rows, len(JOINT_NAMES)))
        self._command = np.zeros((rows, len(JOINT_NAMES)))
        self._count = 0
        self._reports: deque[tuple[int, StateReport]] = deque(maxlen=1000)
        self._versions = _versions()
        self._writers: list[threading.Thread] = []

    def sample(self, stamp_ns: int, measured: np.ndarray, command: np.ndarray) -> None:
        """Note measured and commanded joint angles (23,) [rad] at a ROS time [ns]."""
        row = self._count % len(self._stamp_ns)
        self._stamp_ns[row] = stamp_ns
        self._measured[row] = measured
        self._command[row] = command
        self._count += 1

    def report(self, stamp_ns: int, report: StateReport) -> None:
        """Note a state report of any component."""
        self._reports.append((stamp_ns, report))

    def write(self, reason: str, counters: Mapping[str, int], told: Callable[[str], None]) -> None:
        """Write the incident in the background; `told` is then given where it is, or why not."""
        name = time.strftime("%Y%m%d-%H%M%S") + f"-{time.time_ns() // 1_000_000 % 1000:03d}"
        facts = {
            "reason": reason,
            "counters": dict(counters),
            "joints": list(JOINT_NAMES),
            "versions": self._versions,
        }
        arguments = (self._folder / name, facts, self._arrays(), tuple(self._reports), told)
        writer = threading.Thread(
            target=_write, args=arguments, name="incident-writer", daemon=True
        )
        self._writers = [*(thread for thread in self._writers if thread.is_alive()), writer]
        writer.start()

    def finish(self, timeout_s: float = 2.0) -> None:
        """Wait for what is being written."""
        for writer in self._writers:
            writer.join(timeout_s)

    def _arrays(self) -> dict[str, np.ndarray]:
        rows = len(self._stamp_ns)
        held = min(self._count, rows)
        order = (np.arange(self._count - held, self._count)) % rows
        return {
            "stamp_ns": self._stamp_ns[order],
            "measured_rad": self._measured[order],
            "command_rad": self._command[order],
        }


def _write(
    target: Path,
    facts: dict[str, object],
    arrays: dict[str, np.ndarray],
    reports: Sequence[tuple[int, StateReport]],
    told: Callable[[str], None],
) -> None:
    """Write beside the target and rename, so that a folder is complete or absent."""
    oldest = arrays["stamp_ns"][0] if len(arrays["stamp_ns"]) else 0
    heard = [{"stamp_ns": at, **asdict(report)} for at, report in reports if at >= oldest]
    partial = partial_of(target)
    try:
        partial.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial / "joints.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array)
        text = json.dumps({**facts, "reports": heard}, indent=1)
        (partial / "incident.json").write_text(text, encoding="utf-8")
        for file in partial.iterdir():
            sync_path(file)
        commit_file(partial, target)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        told(f"the last seconds before the fault could not be kept in {target}: {error.strerror}")
        return
    told(f"the last seconds before the fault are in {target}")


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
