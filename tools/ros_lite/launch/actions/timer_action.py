"""Actions after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.event import Event
from launch.event_handler import EventHandler
from launch.event_handlers.on_shutdown import OnShutdown
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import perform_text

if TYPE_CHECKING:
    from launch.events import Shutdown
    from launch.launch_context import LaunchContext


class TimerEvent(Event):
    """A timer ran out."""

    name = "launch.events.TimerEvent"


class TimerAction(Action):
    """Visits actions `period` seconds after it was executed.

    Args:
        period: in seconds.
        actions: the actions.
        cancel_on_shutdown: whether a shutdown before then cancels them.
        kwargs: passed to Action.
    """

    def __init__(
        self,
        *,
        period: float | SomeSubstitutionsType,
        actions: Iterable[LaunchDescriptionEntity],
        cancel_on_shutdown: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.__period = period
        self.__actions = list(actions)
        self.__cancel_on_shutdown = cancel_on_shutdown
        self.__done: asyncio.Future[None] | None = None
        self.__handle: asyncio.TimerHandle | None = None

    @property
    def actions(self) -> list[LaunchDescriptionEntity]:
        """The actions."""
        return self.__actions

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the actions."""
        return self.__actions

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is pending until the timer ran out."""
        return self.__done

    def cancel(self) -> None:
        """Cancel the timer."""
        if self.__handle is not None:
            self.__handle.cancel()
        if self.__done is not None and not self.__done.done():
            self.__done.set_result(None)

    def execute(self, context: LaunchContext) -> None:
        """Start the timer."""
        period_s = (
            float(self.__period)
            if isinstance(self.__period, int | float)
            else float(perform_text(context, self.__period))
        )
        event = TimerEvent()
        handler = EventHandler(
            matcher=lambda other: other is event, entities=self.__actions, handle_once=True
        )
        context.register_event_handler(handler)
        if self.__cancel_on_shutdown:
            context.register_event_handler(OnShutdown(on_shutdown=self._on_shutdown))
        loop = asyncio.get_running_loop()
        self.__done = loop.create_future()
        self.__handle = loop.call_later(period_s, self._run_out, context, event)

    def _run_out(self, context: LaunchContext, event: TimerEvent) -> None:
        context.emit_event(event)
        if self.__done is not None and not self.__done.done():
            self.__done.set_result(None)

    def _on_shutdown(self, _event: Shutdown, _context: LaunchContext) -> None:
        self.cancel()
