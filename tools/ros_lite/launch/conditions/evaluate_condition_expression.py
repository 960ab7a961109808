"""Text as a truth value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

VALUES = {"true": True, "1": True, "false": False, "0": False}


class InvalidConditionExpressionError(Exception):
    """A condition that is neither true nor false."""


def evaluate_condition_expression(
    context: LaunchContext, expression: SomeSubstitutionsType
) -> bool:
    """Return the truth value of `expression`: true, 1, false or 0, in any case of letters.

    Raises:
        InvalidConditionExpressionError: for any other text.
    """
    text = perform_text(context, expression)
    try:
        return VALUES[text.strip().lower()]
    except KeyError:
        raise InvalidConditionExpressionError(
            f"expected true, false, 1 or 0 as a condition, got '{text}'"
        ) from None
