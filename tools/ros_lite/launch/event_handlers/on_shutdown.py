"""Handler of the end of the launch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from launch.event import Event
from launch.event_handler import EventHandler, SomeEntitiesType
from launch.events.shutdown import Shutdown
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.utilities import normalize_entities

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class OnShutdown(EventHandler):
    """Visits entities, or what a callback returns, when the launch shuts down."""

    def __init__(
        self,
        *,
        on_shutdown: SomeEntitiesType
        | Callable[[Shutdown, LaunchContext], SomeEntitiesType | None],
    ) -> None:
        self._callback = on_shutdown if callable(on_shutdown) else None
        entities = None if callable(on_shutdown) else on_shutdown
        super().__init__(matcher=lambda event: isinstance(event, Shutdown), entities=entities)

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to visit."""
        entities = super().handle(event, context)
        if self._callback is not None and isinstance(event, Shutdown):
            return normalize_entities(self._callback(event, context))
        return entities
