"""Directory of the current launch file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.substitution import Substitution, SubstitutionFailure

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class ThisLaunchFileDir(Substitution):
    """Directory of the launch file that is being visited."""

    def perform(self, context: LaunchContext) -> str:
        """Return the directory."""
        try:
            return str(context.locals.current_launch_file_directory)
        except AttributeError:
            raise SubstitutionFailure(
                "ThisLaunchFileDir is used outside of a launch file"
            ) from None
