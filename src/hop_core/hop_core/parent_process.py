"""Processes that must not outlive the one that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


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
