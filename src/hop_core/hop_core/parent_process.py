"""Processes that must not outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

EXIT_WITH_PARENT = "HOP_EXIT_WITH_PARENT"
"""Environment variable by which a launch asks, with "1", that its processes end with it."""
_PR_SET_PDEATHSIG = 1


def exit_with_launcher() -> None:
    """End with the launcher where it asks for that: a killed one must leave no robot behind."""
    if os.environ.get(EXIT_WITH_PARENT) == "1":
        exit_with_parent()


def exit_with_parent(parent: int | None = None) -> None:
    """Ask Linux for SIGTERM when the parent's thread that started this process ends.

    On other systems nothing happens: they have no such request.

    Args:
        parent: its process id; default: the present parent, which may not be process 1.
    """
    if not sys.platform.startswith("linux"):
        return
    orphaned = parent is None and os.getppid() == 1
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent or orphaned:  # it ended before it could be watched
        os.kill(os.getpid(), signal.SIGTERM)
