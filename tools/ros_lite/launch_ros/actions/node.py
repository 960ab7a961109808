"""A ROS node in a process of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch.actions import ExecuteProcess
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.utilities import perform_text
from launch_ros.actions.push_ros_namespace import CONFIGURATION, prefix_namespace
from launch_ros.parameter_descriptions import ParameterFile, evaluate_parameter_dict
from launch_ros.substitutions import ExecutableInPackage

if TYPE_CHECKING:
    from launch.launch_context import LaunchContext

SomeParameters = Iterable[Mapping[Any, Any] | ParameterFile | SomeSubstitutionsType | Path]
_file_numbers = count(1)


class Node(ExecuteProcess):
    """Runs an executable of a package as a ROS node.

    Args:
        executable: its name in the package, or a path when `package` is None.
        package: the package.
        name: of the node; default: the node's own.
        namespace: of the node, below the pushed one unless absolute.
        exec_name: name in the log; default: the executable's.
        parameters: dictionaries and YAML files, later ones win.
        remappings: pairs of names.
        ros_arguments: arguments after `--ros-args`.
        arguments: arguments before it.
        kwargs: passed to ExecuteProcess.
    """

    def __init__(
        self,
        *,
        executable: SomeSubstitutionsType,
        package: SomeSubstitutionsType | None = None,
        name: SomeSubstitutionsType | None = None,
        namespace: SomeSubstitutionsType | None = None,
        exec_name: SomeSubstitutionsType | None = None,
        parameters: SomeParameters | None = None,
        remappings: Iterable[tuple[SomeSubstitutionsType, SomeSubstitutionsType]] | None = None,
        ros_arguments: Iterable[SomeSubstitutionsType] | None = None,
        arguments: Iterable[SomeSubstitutionsType] | None = None,
        **kwargs: Any,
    ) -> None:
        program = executable if package is None else ExecutableInPackage(executable, package)
        super().__init__(cmd=[program, *(arguments or [])], name=exec_name or executable, **kwargs)
        self.__name = name
        self.__namespace = namespace
        self.__parameters = list(parameters or [])
        self.__remappings = list(remappings or [])
        self.__ros_arguments = list(ros_arguments or [])

    def command(self, context: LaunchContext) -> list[str]:
        """Return the command with the node's ROS arguments."""
        name = perform_text(context, self.__name) if self.__name else None
        own = perform_text(context, self.__namespace) if self.__namespace else None
        namespace = prefix_namespace(context.launch_configurations.get(CONFIGURATION), own)
        namespace = f"/{namespace.lstrip('/')}" if namespace else ""
        ros = [perform_text(context, argument) for argument in self.__ros_arguments]
        if name:
            ros += ["-r", f"__node:={name}"]
        if namespace:
            ros += ["-r", f"__ns:={namespace}"]
        # A dictionary is for this node alone, like upstream, if its full name is known.
        key = f"{namespace.rstrip('/')}/{name}" if name else "/**"
        for parameters in self.__parameters:
            ros += ["--params-file", str(self._parameter_file(context, parameters, key))]
        for source, target in self.__remappings:
            ros += ["-r", f"{perform_text(context, source)}:={perform_text(context, target)}"]
        return [*super().command(context), "--ros-args", *ros]

    @staticmethod
    def _parameter_file(context: LaunchContext, parameters: Any, key: str) -> Path:
        """Return the file of the parameters; a dictionary is written to a temporary one.

        Raises:
            FileNotFoundError: when a named file does not exist.
        """
        if isinstance(parameters, Mapping):
            values = evaluate_parameter_dict(context, parameters)
            path = context.temporary_directory() / f"parameters_{next(_file_numbers)}.yaml"
            # JSON is YAML with all text in quotes: rcl reads a bare `y` as true.
            path.write_text(json.dumps({key: {"ros__parameters": values}}), encoding="utf-8")
            return path
        file = parameters if isinstance(parameters, ParameterFile) else ParameterFile(parameters)
        path = file.evaluate(context)
        if not os.access(path, os.R_OK):
            raise FileNotFoundError(f"parameter file '{path}' does not exist or cannot be read")
        return path
