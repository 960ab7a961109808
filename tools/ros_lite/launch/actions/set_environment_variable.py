"""Setting of an environment variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class SetEnvironmentVariable(Action):
    """Sets an environment variable for what is started after it in the same scope."""

    def __init__(
        self, name: SomeSubstitutionsType, value: SomeSubstitutionsType, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.__name = name
        self.__value = value

    def execute(self, context: LaunchContext) -> None:
        """Set the variable."""
        name = perform_text(context, self.__name)
        context.environment[name] = perform_text(context, self.__value)
