"""A line on the screen and in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch import logging
from launch.action import Action
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class LogInfo(Action):
    """Logs a message."""

    def __init__(self, *, msg: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.__message = msg

    def execute(self, context: LaunchContext) -> None:
        """Log the message."""
        logging.get_logger("launch.user").info(perform_text(context, self.__message))
