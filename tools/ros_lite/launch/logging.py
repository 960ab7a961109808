"""Screen and log file of a launch."""

from __future__ import annotations

import logging
import os
import socket
import sys
from datetime import datetime
from pathlib import Path

LEVELS = {
    logging.DEBUG: "DEBUG",
    logging.INFO: "INFO",
    logging.WARNING: "WARNING",
    logging.ERROR: "ERROR",
}


class LaunchConfig:
    """Lines to the screen (stdout) and to `launch.log` in a directory of its own."""

    def __init__(self) -> None:
        self._directory: Path | None = None

    @property
    def log_dir(self) -> Path:
        """The directory of this launch's logs, created at the first use.

        Below ROS_LOG_DIR, else ROS_HOME/log, else ~/.ros/log, as every ROS program.
        """
        if self._directory is None:
            home = Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")
            base = Path(os.environ.get("ROS_LOG_DIR") or home / "log")
            stamp = datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
            self._directory = base / f"{stamp}-{socket.gethostname()}-{os.getpid()}"
            self._directory.mkdir(parents=True, exist_ok=True)
        return self._directory

    def screen(self, line: str) -> None:
        """Write one line to the screen; a closed screen ends nothing."""
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            pass

    def log(self, line: str) -> None:
        """Append one line to the log file."""
        with (self.log_dir / "launch.log").open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now().timestamp():.6f} {line}\n")


launch_config = LaunchConfig()


class _BothHandler(logging.Handler):
    """Writes a record in upstream's form to screen and log file."""

    def emit(self, record: logging.LogRecord) -> None:
        level = LEVELS.get(record.levelno, record.levelname)
        line = f"[{level}] [{record.name.removeprefix('ros2launch.')}]: {record.getMessage()}"
        launch_config.screen(line)
        launch_config.log(line)


def get_logger(name: str) -> logging.Logger:
    """Return the logger of `name`, which writes `[LEVEL] [name]: text`."""
    root = logging.getLogger("ros2launch")
    if not root.handlers:
        root.addHandler(_BothHandler())
        root.setLevel(logging.INFO)
        root.propagate = False
    return root.getChild(name)
