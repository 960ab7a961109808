"""Registration of an event handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.event_handler import EventHandler
from launch.launch_description_entity import LaunchDescriptionEntity

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class RegisterEventHandler(Action):
    """Registers an event handler when executed."""

    def __init__(self, event_handler: EventHandler, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.__handler = event_handler

    @property
    def event_handler(self) -> EventHandler:
        """The handler."""
        return self.__handler

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities of the handler."""
        return self.__handler.entities

    def execute(self, context: LaunchContext) -> None:
        """Register the handler."""
        context.register_event_handler(self.__handler)
