"""Value of an environment variable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution, SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions, perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class EnvironmentVariable(Substitution):
    """Value of an environment variable, or of `default_value` where it is not set."""

    def __init__(
        self, name: SomeSubstitutionsType, *, default_value: SomeSubstitutionsType | None = None
    ) -> None:
        self.__name = normalize_to_list_of_substitutions(name)
        self.__default = default_value

    def perform(self, context: LaunchContext) -> str:
        """Return the value."""
        name = perform_substitutions(context, self.__name)
        if name in context.environment:
            return context.environment[name]
        if self.__default is None:
            raise SubstitutionFailure(f"environment variable '{name}' does not exist")
        return perform_text(context, self.__default)

    def describe(self) -> str:
        """Return the variable's name."""
        return f"EnvVar({' + '.join(part.describe() for part in self.__name)})"
