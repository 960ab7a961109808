"""Executable of a package."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution, SubstitutionFailure
from launch.utilities import perform_text
from launch_ros.substitutions.find_package import FindPackagePrefix

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class ExecutableInPackage(Substitution):
    """Path of an executable in a package's lib folder."""

    def __init__(self, executable: SomeSubstitutionsType, package: SomeSubstitutionsType) -> None:
        self.__executable = executable
        self.__package = package

    def perform(self, context: LaunchContext) -> str:
        """Return the path."""
        package = perform_text(context, self.__package)
        executable = perform_text(context, self.__executable)
        folder = os.path.join(FindPackagePrefix(package).perform(context), "lib", package)
        path = os.path.join(folder, executable)
        if not os.access(path, os.X_OK):
            raise SubstitutionFailure(
                f"executable '{executable}' not found on the libexec directory '{folder}'"
            )
        return path
