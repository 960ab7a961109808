"""Output of a command."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from launch import logging
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution, SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions, perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

ON_STDERR = ("fail", "ignore", "warn", "capture")


class Command(Substitution):
    """What a command writes to its standard output.

    Args:
        command: the command line; its parts are concatenated, then split like a shell does.
        on_stderr: what output on stderr means: `fail`, `ignore`, `warn` or `capture` (add it).
    """

    def __init__(
        self, command: SomeSubstitutionsType, *, on_stderr: SomeSubstitutionsType = "fail"
    ) -> None:
        self.__command = normalize_to_list_of_substitutions(command)
        self.__on_stderr = on_stderr

    def perform(self, context: LaunchContext) -> str:
        """Run the command and return its output."""
        command = perform_substitutions(context, self.__command)
        on_stderr = perform_text(context, self.__on_stderr)
        if on_stderr not in ON_STDERR:
            raise SubstitutionFailure(f"on_stderr is '{on_stderr}', expected one of {ON_STDERR}")
        stderr = subprocess.STDOUT if on_stderr == "capture" else subprocess.PIPE
        try:
            result = subprocess.run(
                shlex.split(command), stdout=subprocess.PIPE, stderr=stderr, text=True, check=False
            )
        except FileNotFoundError as error:
            raise SubstitutionFailure(f"command '{command}' not found: {error}") from error
        if result.returncode != 0:
            raise SubstitutionFailure(
                f"command '{command}' returned {result.returncode}: {(result.stderr or '').strip()}"
            )
        if result.stderr and on_stderr == "fail":
            raise SubstitutionFailure(
                f"command '{command}' wrote to stderr: {result.stderr.strip()}"
            )
        if result.stderr and on_stderr == "warn":
            logging.get_logger("launch").warning(f"'{command}' wrote to stderr: {result.stderr}")
        return result.stdout

    def describe(self) -> str:
        """Return the command line."""
        return f"Command({' + '.join(part.describe() for part in self.__command)})"
