"""The last seconds before a fault: kept in a ring, written to a folder when one happens."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import zipfile
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

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
        self._writer: threading.Thread | None = None

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

    def write(self, reason: str, counters: Mapping[str, int]) -> Path:
        """Write the incident in the background; returns the folder that will hold it."""
        name = time.strftime("%Y%m%d-%H%M%S") + f"-{time.time_ns() // 1_000_000 % 1000:03d}"
        target = self._folder / name
        arrays = self._arrays()
        oldest = arrays["stamp_ns"][0] if len(arrays["stamp_ns"]) else 0
        facts = {
            "reason": reason,
            "counters": dict(counters),
            "joints": list(JOINT_NAMES),
            "versions": _versions(),
            "reports": [
                {"stamp_ns": stamp, **asdict(report)}
                for stamp, report in self._reports
                if stamp >= oldest
            ],
        }
        self._writer = threading.Thread(
            target=_write, args=(target, facts, arrays), name="incident-writer", daemon=True
        )
        self._writer.start()
        return target

    def finish(self, timeout_s: float = 2.0) -> None:
        """Wait for a write under way."""
        if self._writer is not None:
            self._writer.join(timeout_s)

    def _arrays(self) -> dict[str, np.ndarray]:
        rows = len(self._stamp_ns)
        held = min(self._count, rows)
        order = (np.arange(self._count - held, self._count)) % rows
        return {
            "stamp_ns": self._stamp_ns[order],
            "measured_rad": self._measured[order],
            "command_rad": self._command[order],
        }


def _write(target: Path, facts: dict[str, object], arrays: dict[str, np.ndarray]) -> None:
    """Write beside the target and rename, so that a folder is complete or absent."""
    partial = target.with_name(f".{target.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(partial / "joints.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, array)
    (partial / "incident.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    os.replace(partial, target)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found
