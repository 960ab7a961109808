"""Several actions with a scope of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.actions.opaque_function import OpaqueFunction
from launch.actions.set_launch_configuration import SetLaunchConfiguration
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.some_substitutions_type import SomeSubstitutionsType

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class GroupAction(Action):
    """Actions that are visited together.

    Args:
        actions: the actions.
        scoped: whether launch configurations and environment are restored behind the group.
        forwarding: whether the group sees the launch configurations around; False needs `scoped`.
        launch_configurations: set at the start of the group.
        kwargs: passed to Action.
    """

    def __init__(
        self,
        actions: Iterable[Action],
        *,
        scoped: bool = True,
        forwarding: bool = True,
        launch_configurations: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not (scoped or forwarding):
            raise ValueError("a GroupAction that is not scoped cannot have forwarding=False")
        self.__actions = list(actions)
        self.__scoped = scoped
        self.__forwarding = forwarding
        self.__configurations = dict(launch_configurations or {})

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the actions."""
        return list(self.__actions)

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the actions between the start and the end of the scope."""
        inner: list[LaunchDescriptionEntity] = [
            *(SetLaunchConfiguration(name, value) for name, value in self.__configurations.items()),
            *self.__actions,
        ]
        if not self.__scoped:
            return inner
        return [
            OpaqueFunction(function=self._enter_scope),
            *inner,
            OpaqueFunction(function=lambda context: context.pop_scope()),
        ]

    def _enter_scope(self, context: LaunchContext) -> None:
        context.push_scope()
        if not self.__forwarding:
            context.launch_configurations.clear()
