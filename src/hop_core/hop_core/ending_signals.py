"""The signals that ask a process to end."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType


def interrupt_on_ending_signal() -> None:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: raise KeyboardInterrupt, so that all unwinds."""
    on_ending_signal(_interrupt)


def _interrupt() -> None:
    raise KeyboardInterrupt


def on_ending_signal(end: Callable[[], None]) -> None:
    """Call `end` on SIGINT, on SIGTERM, and on SIGHUP, which a closed terminal sends.

    A process that ignores SIGHUP, since it was started by nohup, goes on doing so.
    """

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        end()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, on_signal)
