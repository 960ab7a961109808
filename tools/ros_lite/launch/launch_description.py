"""A list of entities to launch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from launch.launch_description_entity import LaunchDescriptionEntity

if TYPE_CHECKING:
    from launch.actions.declare_launch_argument import DeclareLaunchArgument
    from launch.launch_context import LaunchContext


class LaunchDescription(LaunchDescriptionEntity):
    """What `generate_launch_description` of a launch file returns."""

    def __init__(self, initial_entities: Iterable[LaunchDescriptionEntity] | None = None) -> None:
        self.__entities = list(initial_entities or [])

    @property
    def entities(self) -> list[LaunchDescriptionEntity]:
        """The entities, in order."""
        return self.__entities

    def add_entity(self, entity: LaunchDescriptionEntity) -> None:
        """Append an entity."""
        self.__entities.append(entity)

    def add_action(self, action: LaunchDescriptionEntity) -> None:
        """Append an action."""
        self.add_entity(action)

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Return the entities, to be visited in order."""
        return self.__entities

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the entities."""
        return self.__entities

    def get_launch_arguments(self) -> list[DeclareLaunchArgument]:
        """Return the declared arguments, the first declaration of each name, in order.

        Those of included files are found where their path is plain text, as upstream.
        """
        from launch.actions.declare_launch_argument import DeclareLaunchArgument

        found: dict[str, DeclareLaunchArgument] = {}

        def walk(entities: Iterable[LaunchDescriptionEntity]) -> None:
            for entity in entities:
                if isinstance(entity, DeclareLaunchArgument):
                    found.setdefault(entity.name, entity)
                else:
                    walk(entity.describe_sub_entities())

        walk(self.__entities)
        return list(found.values())
