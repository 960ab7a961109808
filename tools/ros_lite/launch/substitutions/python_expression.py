"""Result of a Python expression."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution, SubstitutionFailure
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class PythonExpression(Substitution):
    """Result of a Python expression as text; the names of `python_modules` are known in it."""

    def __init__(
        self, expression: SomeSubstitutionsType, python_modules: Iterable[str] = ("math",)
    ) -> None:
        self.__expression = normalize_to_list_of_substitutions(expression)
        self.__modules = list(python_modules)

    def perform(self, context: LaunchContext) -> str:
        """Return the result as text."""
        expression = perform_substitutions(context, self.__expression)
        names: dict[str, object] = {}
        for module_name in self.__modules:
            module = importlib.import_module(module_name)
            names[module_name] = module
            if module_name == "math":  # as upstream: its functions without prefix too
                names.update(vars(module))
        try:
            return str(eval(expression, {}, names))
        except Exception as error:
            raise SubstitutionFailure(
                f"Python expression '{expression}' failed: {type(error).__name__}: {error}"
            ) from error

    def describe(self) -> str:
        """Return the expression."""
        return f"PythonExpr({' + '.join(part.describe() for part in self.__expression)})"
