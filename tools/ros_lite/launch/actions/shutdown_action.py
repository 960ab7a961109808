"""End of the launch as an action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch import logging
from launch.actions.emit_event import EmitEvent
from launch.events import Shutdown as ShutdownEvent
from launch.events.process import ProcessExited

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class Shutdown(EmitEvent):
    """Shuts the launch down; as `on_exit` of a process it makes that process a required one."""

    def __init__(self, *, reason: str = "reason not given", **kwargs: Any) -> None:
        super().__init__(event=ShutdownEvent(reason=reason), **kwargs)

    def execute(self, context: LaunchContext) -> None:
        """Emit the shutdown event."""
        event = getattr(context.locals, "event", None)
        if isinstance(event, ProcessExited) and not context.is_shutdown:
            logging.get_logger("launch").info(
                f"process[{event.process_name}] was required: shutting down launched system"
            )
        super().execute(context)
