"""Parts joined to a path."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class PathJoinSubstitution(Substitution):
    """Parts joined by the path separator; a part that is a list is concatenated first."""

    def __init__(self, substitutions: Iterable[SomeSubstitutionsType]) -> None:
        self.__parts = [normalize_to_list_of_substitutions(part) for part in substitutions]

    def perform(self, context: LaunchContext) -> str:
        """Return the path."""
        return os.path.join(*(perform_substitutions(context, part) for part in self.__parts))

    def describe(self) -> str:
        """Return the parts."""
        parts = (" + ".join(sub.describe() for sub in part) for part in self.__parts)
        return f"PathJoin({', '.join(parts)})"
