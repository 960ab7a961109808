"""Namespace of the nodes that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from launch.action import Action
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import perform_text

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

CONFIGURATION = "ros_namespace"


def prefix_namespace(base: str | None, namespace: str | None) -> str:
    """Return `namespace` below `base`, or alone if it is absolute; without a slash at the end."""
    if namespace and namespace.startswith("/"):
        return namespace.rstrip("/") or "/"
    return "/".join(part.rstrip("/") for part in (base, namespace) if part)


class PushRosNamespace(Action):
    """Puts the nodes that follow in the same scope below a namespace."""

    def __init__(self, namespace: SomeSubstitutionsType, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.__namespace = namespace

    def execute(self, context: LaunchContext) -> None:
        """Push the namespace."""
        base = context.launch_configurations.get(CONFIGURATION)
        pushed = prefix_namespace(base, perform_text(context, self.__namespace))
        context.launch_configurations[CONFIGURATION] = pushed
