"""Visits descriptions, handles events and signals, and ends when nothing runs any more."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from launch import logging
from launch.child_process import guardian
from launch.event import Event
from launch.events import Shutdown
from launch.launch_context import LaunchContext
from launch.launch_description import LaunchDescription
from launch.launch_description_entity import LaunchDescriptionEntity


def _signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end a launch; a closed terminal's is none of them under nohup."""
    hangup_is_ignored = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    closed_terminal = () if hangup_is_ignored else (signal.SIGHUP,)
    return (signal.SIGINT, signal.SIGTERM, *closed_terminal)


def _terminal_signals_us() -> bool:
    """Return whether Ctrl-C reaches this process's group, children included, from its terminal."""
    try:
        return os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # no terminal
        return False


class LaunchService:
    """Runs launch descriptions.

    Differs from upstream for the better: SIGTERM and SIGHUP (a closed terminal) shut down like
    SIGINT, children end with a killed launcher (launch.child_process), and the failure of a
    required process is the launch's failure (launch.actions.EmitEvent).

    Args:
        argv: arguments of the command that launches.
        noninteractive: whether no terminal passes Ctrl-C on to the children.
        debug: whether exceptions are shown with their traceback.
    """

    def __init__(
        self,
        *,
        argv: Iterable[str] | None = None,
        noninteractive: bool = False,
        debug: bool = False,
    ) -> None:
        self.__context = LaunchContext(argv=argv, noninteractive=noninteractive)
        self.__descriptions: list[LaunchDescription] = []
        self.__debug = debug
        self.__logger = logging.get_logger("launch")
        self.__futures: set[asyncio.Future[None]] = set()
        self.__loop: asyncio.AbstractEventLoop | None = None

    @property
    def context(self) -> LaunchContext:
        """The launch context."""
        return self.__context

    def include_launch_description(self, launch_description: LaunchDescription) -> None:
        """Add a description to be visited by `run`."""
        self.__descriptions.append(launch_description)

    def emit_event(self, event: Event) -> None:
        """Queue an event; may be called from any thread while the service runs."""
        if self.__loop is not None:
            self.__loop.call_soon_threadsafe(self.__context.emit_event, event)

    def shutdown(self, reason: str = "LaunchService.shutdown() called") -> None:
        """Shut down; may be called from any thread."""
        self.emit_event(Shutdown(reason=reason))

    def run(self, *, shutdown_when_idle: bool = True) -> int:
        """Run until all is done; see `run_async`."""
        return asyncio.run(self.run_async(shutdown_when_idle=shutdown_when_idle))

    async def run_async(self, *, shutdown_when_idle: bool = True) -> int:
        """Run until nothing is left to do, or until a shutdown has ended all processes.

        Args:
            shutdown_when_idle: False waits for a shutdown even when nothing runs.

        Returns:
            0, or 1 after an error, a signal, or a shutdown that a failed required process caused.
        """
        self.__loop = asyncio.get_running_loop()
        in_main_thread = threading.current_thread() is threading.main_thread()
        numbers = _signals() if in_main_thread else ()
        for number in numbers:
            self.__loop.add_signal_handler(number, self._on_signal, number)
        try:
            self._visit_safely(lambda: self.__descriptions)
            await self._handle_events(shutdown_when_idle)
        finally:
            for number in numbers:
                self.__loop.remove_signal_handler(number)
            self.__loop = None
            guardian.close()
            self.__context.remove_temporary_directory()
        return self.__context.return_code

    async def _handle_events(self, shutdown_when_idle: bool) -> None:
        events = self.__context.events
        while True:
            while not events.empty():
                self._handle(events.get_nowait())
            self.__futures = {future for future in self.__futures if not future.done()}
            may_end = shutdown_when_idle or self.__context.is_shutdown
            if may_end and not self.__futures and events.empty():
                return
            next_event = asyncio.ensure_future(events.get())
            waited: set[asyncio.Future[Any]] = {next_event, *self.__futures}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if next_event.done():
                self._handle(next_event.result())
            else:
                next_event.cancel()

    def _handle(self, event: Event) -> None:
        """Visit what the handlers of an event return."""
        context = self.__context
        if isinstance(event, Shutdown):
            if context.is_shutdown:
                return
            self.__logger.debug(f"shutting down: {event.reason}")
            context.is_shutdown = True
        context.extend_locals({"event": event})
        for handler in list(context.event_handlers):
            if handler.matches(event):
                self._visit_safely(partial(handler.handle, event, context))
        context.extend_locals({"event": None})

    def _visit_safely(self, entities: Callable[[], Iterable[LaunchDescriptionEntity]]) -> None:
        """Visit what a function returns; an exception is logged and shuts the launch down."""
        try:
            self._visit(entities())
        except Exception as error:
            self.__logger.error(f"Caught exception in launch: {error}", exc_info=self.__debug)
            self.__context.return_code = 1
            if not self.__context.is_shutdown:
                self.__context.emit_event(Shutdown(reason=f"exception in launch: {error}"))

    def _visit(self, entities: Iterable[LaunchDescriptionEntity]) -> None:
        for entity in entities:
            inner = entity.visit(self.__context)
            future = entity.get_asyncio_future()
            if future is not None:
                self.__futures.add(future)
            if inner:
                self._visit(inner)

    def _on_signal(self, number: signal.Signals) -> None:
        text = f"user interrupted with ctrl-c ({number.name})"
        text = text if number == signal.SIGINT else f"received {number.name}"
        if self.__context.is_shutdown:
            self.__logger.warning(f"{text} again, ignoring...")
            return
        self.__logger.warning(text)
        self.__context.return_code = 1
        from_terminal = number == signal.SIGINT and _terminal_signals_us()
        self.__context.emit_event(Shutdown(reason=text, due_to_sigint=from_terminal))
