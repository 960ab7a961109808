"""Value of a launch configuration, that is, of a launch argument."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution, SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions, perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class LaunchConfiguration(Substitution):
    """Value of a launch configuration, or of `default` where it is not set."""

    def __init__(
        self, variable_name: SomeSubstitutionsType, *, default: SomeSubstitutionsType | None = None
    ) -> None:
        self.__name = normalize_to_list_of_substitutions(variable_name)
        self.__default = default

    def perform(self, context: LaunchContext) -> str:
        """Return the value."""
        name = perform_substitutions(context, self.__name)
        if name in context.launch_configurations:
            return context.launch_configurations[name]
        if self.__default is None:
            raise SubstitutionFailure(f"launch configuration '{name}' does not exist")
        return perform_text(context, self.__default)

    def describe(self) -> str:
        """Return the name of the configuration."""
        return f"LaunchConfig({' + '.join(part.describe() for part in self.__name)})"
