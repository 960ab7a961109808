"""Common part of the handlers of process events."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from launch.event import Event
from launch.event_handler import EventHandler, SomeEntitiesType
from launch.events.process import RunningProcessEvent
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.utilities import normalize_entities

if TYPE_CHECKING:
    from launch.actions.execute_process import ExecuteProcess
    from launch.launch_context import LaunchContext

SomeCallback = Callable[[Any, "LaunchContext"], SomeEntitiesType | None]
SomeTarget = "Callable[[ExecuteProcess], bool] | ExecuteProcess | None"


class OnActionEvent(EventHandler):
    """Entities, or a callback that returns entities, for one kind of process event.

    Args:
        event_type: the kind of event.
        target_action: the process, a predicate on it, or None for every process.
        on_event: the entities or the callback.
        handle_once: whether to unregister after the first event.
    """

    def __init__(
        self,
        *,
        event_type: type[RunningProcessEvent],
        target_action: Callable[[ExecuteProcess], bool] | ExecuteProcess | None,
        on_event: SomeEntitiesType | SomeCallback,
        handle_once: bool = False,
    ) -> None:
        def matches(event: Event) -> bool:
            if not isinstance(event, event_type):
                return False
            if target_action is None or target_action is event.action:
                return True
            return callable(target_action) and target_action(event.action)

        self._callback = on_event if callable(on_event) else None
        entities = None if callable(on_event) else on_event
        super().__init__(matcher=matches, entities=entities, handle_once=handle_once)

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to visit for `event`."""
        entities = super().handle(event, context)
        if self._callback is not None:
            return normalize_entities(self._callback(event, context))
        return entities
