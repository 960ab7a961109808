"""Another launch description inside this one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.actions.opaque_function import OpaqueFunction
from launch.actions.set_launch_configuration import SetLaunchConfiguration
from launch.launch_description import LaunchDescription
from launch.launch_description_entity import LaunchDescriptionEntity
from launch.launch_description_source import LaunchDescriptionSource
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

LOCAL_NAMES = ("current_launch_file_path", "current_launch_file_directory")


class IncludeLaunchDescription(Action):
    """Visits the description of a launch file; as upstream, its configurations stay set behind it.

    Args:
        launch_description_source: the source, or the path of a Python launch file.
        launch_arguments: pairs of name and value.
        kwargs: passed to Action.
    """

    def __init__(
        self,
        launch_description_source: LaunchDescriptionSource | SomeSubstitutionsType,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]]
        | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.__source = (
            launch_description_source
            if isinstance(launch_description_source, LaunchDescriptionSource)
            else PythonLaunchDescriptionSource(launch_description_source)
        )
        self.__arguments = list(launch_arguments or [])

    def describe_sub_entities(self) -> list[LaunchDescriptionEntity]:
        """Return the included description if its path is plain text."""
        description = self.__source.try_get_launch_description_without_context()
        return [] if description is None else [description]

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Return the included description, with its arguments set before it.

        Raises:
            RuntimeError: when a required argument is missing.
        """
        description = self.__source.get_launch_description(context)
        self._check_required(context, description)
        path = os.path.abspath(self.__source.expand_location(context))
        outer = {name: getattr(context.locals, name, None) for name in LOCAL_NAMES}
        context.extend_locals(dict(zip(LOCAL_NAMES, (path, os.path.dirname(path)), strict=True)))
        return [
            *(SetLaunchConfiguration(name, value) for name, value in self.__arguments),
            description,
            OpaqueFunction(function=lambda context: context.extend_locals(outer)),
        ]

    def _check_required(self, context: LaunchContext, description: LaunchDescription) -> None:
        given = {perform_text(context, name) for name, _ in self.__arguments}
        given |= set(context.launch_configurations)
        for argument in description.get_launch_arguments():
            if argument.default_value is None and argument.name not in given:
                raise RuntimeError(
                    f"Included launch description misses the required argument '{argument.name}' "
                    f"(description: '{argument.description}'), given: {sorted(given)}"
                )
