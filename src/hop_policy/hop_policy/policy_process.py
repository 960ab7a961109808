"""The policy node as a process of its own, on this machine alone and in a ROS domain of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hop_core.closing import Closing
from hop_core.config import config_path
from hop_core.errors import DeviceError

_STOP_S = 20.0
_TAIL_LINES = 3
_DOMAINS = 100  # higher ones share their ports with outgoing connections


def own_domain() -> int:
    """Return a ROS domain that is not the environment's, another one for most processes."""
    return (int(os.environ.get("ROS_DOMAIN_ID") or 0) + 1 + os.getpid() % 90) % _DOMAINS


@contextmanager
def loopback(domain: int) -> Iterator[None]:
    """Let everything that joins ROS meanwhile stay in `domain` and on 127.0.0.1.

    Raises:
        ConfigError: the DDS profile that keeps it there is not found.
    """
    before = dict(os.environ)
    for name in ("ROS_LOCALHOST_ONLY", "ROS_STATIC_PEERS", "ROS_DISCOVERY_SERVER"):
        os.environ.pop(name, None)
    os.environ |= {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(config_path("fastdds.xml")),
    }
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class PolicyProcess(Closing):
    """Runs the node until closed; its environment is the caller's."""

    def __init__(self, policy: Path, config_dir: Path | None) -> None:
        """Start the node with the checkpoint `policy`."""
        self._folder = tempfile.TemporaryDirectory(prefix="hop_replay_")
        self._log = Path(self._folder.name) / "node.log"
        self._report = Path(self._folder.name) / "report.json"
        parameters = {"policy": policy.resolve(), "report": self._report, "robot": "''"}
        if config_dir is not None:
            parameters["config_dir"] = config_dir.resolve()
        pairs = [part for key, value in parameters.items() for part in ("-p", f"{key}:={value}")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hop_policy.nodes.policy_node", "--ros-args", *pairs],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(sys.path),
                    "HOP_EXIT_WITH_PARENT": "1",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def check(self) -> None:
        """Pass while the node runs.

        Raises:
            DeviceError: with what it said last.
        """
        code = self._process.poll()
        if code is not None:
            said = self._log.read_text(errors="replace").strip().splitlines()[-_TAIL_LINES:]
            raise DeviceError(f"the policy node ended with code {code}: {' '.join(said)}")

    def end(self) -> dict[str, Any]:
        """End the node and return its cadence report.

        Raises:
            DeviceError: it did not end well, or left no report.
        """
        self._stop()
        if self._process.returncode != 0 or not self._report.is_file():
            self.check()
            raise DeviceError("the policy node left no report")
        report: dict[str, Any] = json.loads(self._report.read_text(encoding="utf-8"))
        return report

    def close(self) -> None:
        """End the node, whatever it does, and remove what it wrote."""
        self._stop()
        self._folder.cleanup()

    def _stop(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
