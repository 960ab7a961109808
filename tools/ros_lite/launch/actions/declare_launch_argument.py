"""Declaration of a launch argument."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitution import Substitution
from launch.substitutions.text_substitution import TextSubstitution
from launch.utilities import normalize_to_list_of_substitutions, perform_substitutions

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext


class DeclareLaunchArgument(Action):
    """A launch argument: `name:=value` on the command line sets the launch configuration `name`.

    Args:
        name: of the argument.
        default_value: used when the argument is not given; None makes it required.
        description: for `--show-args`.
        choices: the allowed values; None allows all.
        kwargs: passed to Action.

    Raises:
        ValueError: when the default is plain text outside of the choices.
    """

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutionsType | None = None,
        description: str | None = None,
        choices: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.__name = name
        self.__choices = None if choices is None else list(choices)
        self.__default = (
            None if default_value is None else normalize_to_list_of_substitutions(default_value)
        )
        self.__description = description or "no description given"
        if self.__choices is not None:
            self.__description += f" Valid choices are: {self.__choices}"
            self._check_default(self.__choices)

    def _check_default(self, choices: list[str]) -> None:
        texts = [sub.text for sub in self.__default or [] if isinstance(sub, TextSubstitution)]
        default = "".join(texts)
        if self.__default and len(texts) == len(self.__default) and default not in choices:
            raise ValueError(
                f"default value '{default}' of argument '{self.__name}' is not one of {choices}"
            )

    @property
    def name(self) -> str:
        """Name of the argument."""
        return self.__name

    @property
    def default_value(self) -> list[Substitution] | None:
        """Default value, or None for a required argument."""
        return self.__default

    @property
    def description(self) -> str:
        """Description, with the choices."""
        return self.__description

    @property
    def choices(self) -> list[str] | None:
        """The allowed values, or None."""
        return self.__choices

    def execute(self, context: LaunchContext) -> None:
        """Set the launch configuration to its default where it is not set, and check the choice.

        Raises:
            RuntimeError: for a missing required argument and for a value outside of the choices.
        """
        if self.__name not in context.launch_configurations:
            if self.__default is None:
                raise RuntimeError(
                    f"Required launch argument '{self.__name}' (description: "
                    f"'{self.__description}') was not provided"
                )
            context.launch_configurations[self.__name] = perform_substitutions(
                context, self.__default
            )
        value = context.launch_configurations[self.__name]
        if self.__choices is not None and value not in self.__choices:
            raise RuntimeError(
                f"Argument '{self.__name}' has the value '{value}'; valid options are: "
                f"{self.__choices}"
            )
