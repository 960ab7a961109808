"""Condition on a false text."""

from __future__ import annotations

from launch.condition import Condition
from launch.conditions.evaluate_condition_expression import evaluate_condition_expression
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import normalize_to_list_of_substitutions


class UnlessCondition(Condition):
    """Holds when the expression evaluates to false or 0."""

    def __init__(self, predicate_expression: SomeSubstitutionsType) -> None:
        expression = normalize_to_list_of_substitutions(predicate_expression)
        super().__init__(
            predicate=lambda context: not evaluate_condition_expression(context, expression)
        )
