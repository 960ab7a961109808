"""Parameters of a node: values with their types, and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import yaml
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.utilities import perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

ParameterScalar = bool | int | float | str


class ParameterValue:
    """A parameter's value.

    Args:
        value: a Python value, or text and substitutions.
        value_type: bool, int, float, str or a list of one; None reads text as YAML: `1` is an int.
    """

    def __init__(self, value: Any, *, value_type: Any = None) -> None:
        self.__value = value
        self.__type = value_type

    def evaluate(self, context: LaunchContext) -> Any:
        """Return the value.

        Raises:
            TypeError: when it is not of `value_type`.
        """
        value = self.__value
        if _is_text(value):
            text = perform_text(context, value)
            if self.__type is str:
                return text
            loaded = yaml.safe_load(text)
            value = "" if loaded is None else loaded
        elif isinstance(value, Sequence):
            value = [ParameterValue(item).evaluate(context) for item in value]
        return value if self.__type is None else _checked(value, self.__type)


class ParameterFile:
    """A YAML file with parameters.

    Args:
        param_file: its path.
        allow_substs: accepted for upstream's sake; files with substitutions are not supported.
    """

    def __init__(
        self, param_file: SomeSubstitutionsType | Path, *, allow_substs: bool = False
    ) -> None:
        if allow_substs:
            raise ValueError("parameter files with substitutions need the real launch_ros")
        self.__path = str(param_file) if isinstance(param_file, Path) else param_file

    def evaluate(self, context: LaunchContext) -> Path:
        """Return the path."""
        return Path(perform_text(context, self.__path))


def _is_text(value: Any) -> bool:
    """Return whether a value is text or substitutions, as opposed to a list of parameter values."""
    if isinstance(value, str | Substitution):
        return True
    return (
        isinstance(value, Sequence)
        and any(isinstance(item, Substitution) for item in value)
        and all(isinstance(item, str | Substitution) for item in value)
    )


def _checked(value: Any, value_type: Any) -> Any:
    """Return `value` as `value_type`; an int may become a float."""
    if get_origin(value_type) is list:
        (item_type,) = get_args(value_type)
        if not isinstance(value, list):
            raise TypeError(f"parameter value {value!r} is not a list")
        return [_checked(item, item_type) for item in value]
    if value_type is float and type(value) is int:
        return float(value)
    if type(value) is not value_type:
        raise TypeError(f"parameter value {value!r} is not of type {value_type.__name__}")
    return value


def evaluate_parameter_dict(
    context: LaunchContext, parameters: Mapping[SomeSubstitutionsType, Any]
) -> dict[str, Any]:
    """Return names and values; the names of nested dictionaries are joined by dots."""
    result: dict[str, Any] = {}
    for key, value in parameters.items():
        name = perform_text(context, key)
        if isinstance(value, Mapping):
            inner = evaluate_parameter_dict(context, value)
            result.update({f"{name}.{inner_name}": item for inner_name, item in inner.items()})
        else:
            description = value if isinstance(value, ParameterValue) else ParameterValue(value)
            result[name] = description.evaluate(context)
    return result
