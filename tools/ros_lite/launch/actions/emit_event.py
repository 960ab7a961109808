"""Emission of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.event import Event
from launch.events.process import ProcessExited
from launch.events.shutdown import Shutdown

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class EmitEvent(Action):
    """Emits an event when executed.

    Beyond upstream: a shutdown that answers the failure of a process makes the launch return 1,
    so that a script that runs `ros2 launch` learns that a required process failed.
    """

    def __init__(self, *, event: Event, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.__event = event

    @property
    def event(self) -> Event:
        """The event."""
        return self.__event

    def execute(self, context: LaunchContext) -> None:
        """Emit the event."""
        cause = getattr(context.locals, "event", None)
        failed = isinstance(cause, ProcessExited) and cause.returncode != 0
        if failed and isinstance(self.__event, Shutdown) and not context.is_shutdown:
            context.return_code = 1
        context.emit_event(self.__event)
