"""Base of everything that becomes a string when the launch runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class SubstitutionFailure(RuntimeError):
    """A substitution that cannot be turned into a string."""


class Substitution:
    """A string that is known only when the launch runs."""

    def perform(self, context: LaunchContext) -> str:
        """Return the string.

        Raises:
            SubstitutionFailure: when it cannot be determined.
        """
        raise NotImplementedError(type(self).__name__)

    def describe(self) -> str:
        """Return a text for `--show-args`."""
        return f"{type(self).__name__}()"
