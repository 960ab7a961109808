"""Handler of a process that started."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from launch.event_handler import SomeEntitiesType
from launch.event_handlers.on_action_event import OnActionEvent, SomeCallback
from launch.events.process import ProcessStarted

if TYPE_CHECKING:
    from launch.actions.execute_process import ExecuteProcess


class OnProcessStart(OnActionEvent):
    """Visits entities when the target process, or any process, started."""

    def __init__(
        self,
        *,
        target_action: Callable[[ExecuteProcess], bool] | ExecuteProcess | None = None,
        on_start: SomeEntitiesType | SomeCallback,
        handle_once: bool = False,
    ) -> None:
        super().__init__(
            event_type=ProcessStarted,
            target_action=target_action,
            on_event=on_start,
            handle_once=handle_once,
        )
