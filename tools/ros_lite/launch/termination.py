"""SIGINT, then SIGTERM, then SIGKILL for a process that is to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from launch import logging


class Termination:
    """The escalation of one process.

    Args:
        name: of the process, for the log.
        send: sends a signal to it.
        sigterm_after_s: from SIGINT to SIGTERM.
        sigkill_after_s: from SIGTERM to SIGKILL.
    """

    def __init__(
        self,
        name: str,
        send: Callable[[signal.Signals], None],
        sigterm_after_s: float,
        sigkill_after_s: float,
    ) -> None:
        self._name, self._send = name, send
        self._after_s = {signal.SIGTERM: sigterm_after_s, signal.SIGKILL: sigkill_after_s}
        self._timer: asyncio.TimerHandle | None = None

    def start(self, *, send_sigint: bool) -> None:
        """Send SIGINT, unless the terminal has sent it, and start the clock."""
        if send_sigint:
            self._signal(signal.SIGINT)
        self._wait(signal.SIGINT, signal.SIGTERM)

    def cancel(self) -> None:
        """Stop: the process has ended."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, sent: signal.Signals, following: signal.Signals) -> None:
        loop, after_s = asyncio.get_running_loop(), self._after_s[following]
        self._timer = loop.call_later(after_s, self._escalate, sent, following)

    def _escalate(self, sent: signal.Signals, following: signal.Signals) -> None:
        logging.get_logger(self._name).error(
            f"process[{self._name}] failed to terminate '{self._after_s[following]:g}' seconds "
            f"after receiving '{sent.name}', escalating to '{following.name}'"
        )
        self._signal(following)
        if following == signal.SIGTERM:
            self._wait(signal.SIGTERM, signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        logging.get_logger(self._name).info(
            f"sending signal '{number.name}' to process[{self._name}]"
        )
        self._send(number)
