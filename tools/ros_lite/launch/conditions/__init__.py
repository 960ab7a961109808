"""Conditions of actions."""

from launch.conditions.evaluate_condition_expression import (
    InvalidConditionExpressionError,
    evaluate_condition_expression,
)
from launch.conditions.if_condition import IfCondition
from launch.conditions.unless_condition import UnlessCondition

__all__ = [
    "IfCondition",
    "InvalidConditionExpressionError",
    "UnlessCondition",
    "evaluate_condition_expression",
]
