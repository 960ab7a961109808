"""Folders of a package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution, SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class _FindPackage(Substitution):
    """A folder of a package."""

    def __init__(self, package: SomeSubstitutionsType) -> None:
        self.__package = normalize_to_list_of_substitutions(package)

    def find(self, package: str) -> str:
        """Return the folder."""
        raise NotImplementedError(type(self).__name__)

    def perform(self, context: LaunchContext) -> str:
        """Return the folder."""
        package = perform_substitutions(context, self.__package)
        try:
            return self.find(package)
        except (PackageNotFoundError, OSError) as error:  # OSError: AMENT_PREFIX_PATH is not set
            raise SubstitutionFailure(
                f"package '{package}' not found; is the workspace sourced? ({error})"
            ) from error

    def describe(self) -> str:
        """Return the package."""
        package = " + ".join(part.describe() for part in self.__package)
        return f"{type(self).__name__}(pkg={package})"


class FindPackagePrefix(_FindPackage):
    """Install prefix of a package."""

    def find(self, package: str) -> str:
        """Return the prefix."""
        return str(get_package_prefix(package))


class FindPackageShare(_FindPackage):
    """Share folder of a package."""

    def find(self, package: str) -> str:
        """Return the share folder."""
        return str(get_package_share_directory(package))
