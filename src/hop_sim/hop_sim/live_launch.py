"""Starts the twin's graph by `ros2 launch`, as a person would, and ends it again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from types import TracebackType

from hop_core.errors import TwinError
from hop_core.parent_process import exit_with_parent

_STOP_S = 20.0
_TAIL_LINES = 15


class LiveLaunch:
    """A running `ros2 launch hop_policy deploy.launch.py`; use as a context manager.

    Attributes:
        log: file with everything that the nodes print.
    """

    def __init__(self, **arguments: str) -> None:
        """Keep the launch arguments."""
        self._arguments = [f"{key}:={value}" for key, value in arguments.items() if value]
        self._process: subprocess.Popen[bytes] | None = None
        folder = Path(tempfile.mkdtemp(prefix="hop_launch_"))
        self.log = folder / "launch.log"

    def __enter__(self) -> LiveLaunch:
        """Start it.

        Raises:
            TwinError: there is no `ros2` command.
        """
        ros2 = shutil.which("ros2")
        if ros2 is None:
            raise TwinError("there is no ros2 command; source env.sh first (make deploy does it)")
        command = [
            ros2,
            "launch",
            "hop_policy",
            "deploy.launch.py",
            "robot:=twin",
            *self._arguments,
        ]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=partial(exit_with_parent, os.getpid()),
            )
        return self

    def check(self) -> None:
        """Raise when the launch has ended.

        Raises:
            TwinError: with the last lines that it printed.
        """
        if self._process is not None and self._process.poll() is not None:
            raise TwinError(
                f"the launch ended with code {self._process.returncode}:\n{self.tail()}"
            )

    def tail(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def pids(self) -> list[int]:
        """Return the process ids of the launch and all that it started."""
        if self._process is None:
            return []
        group = str(self._process.pid)
        return [int(p.name) for p in Path("/proc").glob("[0-9]*") if _session(p) == group]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it by SIGINT; by force when that does not help. A log without an error is removed."""
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if error is None:
            shutil.rmtree(self.log.parent, ignore_errors=True)


def _session(process: Path) -> str:
    """Return the session id of a /proc entry, empty when it is gone."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[3]
    except (OSError, IndexError):
        return ""
