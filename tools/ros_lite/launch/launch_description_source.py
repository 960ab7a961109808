"""Where a launch description comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.launch_description import LaunchDescription
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitutions.text_substitution import TextSubstitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class LaunchDescriptionSource:
    """A launch file whose path may contain substitutions."""

    def __init__(self, location: SomeSubstitutionsType) -> None:
        self.__location = normalize_to_list_of_substitutions(location)

    def expand_location(self, context: LaunchContext) -> str:
        """Return the path."""
        return perform_substitutions(context, self.__location)

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Return the description that the file generates."""
        return self._load(self.expand_location(context))

    def try_get_launch_description_without_context(self) -> LaunchDescription | None:
        """Return the description if the path is plain text, else None."""
        parts = [part.text for part in self.__location if isinstance(part, TextSubstitution)]
        return self._load("".join(parts)) if len(parts) == len(self.__location) else None

    def _load(self, path: str) -> LaunchDescription:
        raise NotImplementedError(type(self).__name__)
