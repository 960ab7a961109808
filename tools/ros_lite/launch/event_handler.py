"""Base of event handlers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from launch.event import Event
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.utilities import normalize_entities

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

SomeEntitiesType = LaunchDescriptionEntity | Iterable[LaunchDescriptionEntity]


class EventHandler:
    """Entities to visit when an event matches."""

    def __init__(
        self,
        *,
        matcher: Callable[[Event], bool],
        entities: SomeEntitiesType | None = None,
        handle_once: bool = False,
    ) -> None:
        self.__matcher = matcher
        self.__entities = normalize_entities(entities)
        self.__handle_once = handle_once

    @property
    def entities(self) -> list[LaunchDescriptionEntity]:
        """What is visited for each matching event."""
        return self.__entities

    def matches(self, event: Event) -> bool:
        """Return whether this handler is for `event`."""
        return self.__matcher(event)

    def handle(self, event: Event, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the entities to visit for `event`."""
        if self.__handle_once:
            context.unregister_event_handler(self)
        return self.__entities
