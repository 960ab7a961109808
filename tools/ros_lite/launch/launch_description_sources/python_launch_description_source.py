"""Launch files in Python."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

from launch.launch_description import LaunchDescription
from launch.launch_description_source import LaunchDescriptionSource


class InvalidPythonLaunchFileError(Exception):
    """A file that is not a Python launch file."""


def get_launch_description_from_python_launch_file(
    python_launch_file_path: str,
) -> LaunchDescription:
    """Return what the file's `generate_launch_description()` returns.

    Raises:
        FileNotFoundError: when there is no such file.
        InvalidPythonLaunchFileError: when the file does not define that function.
    """
    path = Path(python_launch_file_path)
    if not path.is_file():
        raise FileNotFoundError(f"launch file '{path}' does not exist")
    loader = SourceFileLoader("python_launch_file", str(path))
    spec = spec_from_loader(loader.name, loader)
    if spec is None:
        raise InvalidPythonLaunchFileError(f"launch file '{path}' cannot be loaded")
    module = module_from_spec(spec)
    loader.exec_module(module)
    if not hasattr(module, "generate_launch_description"):
        raise InvalidPythonLaunchFileError(
            f"launch file '{path}' does not define generate_launch_description()"
        )
    description: LaunchDescription = module.generate_launch_description()
    return description


class PythonLaunchDescriptionSource(LaunchDescriptionSource):
    """A Python launch file."""

    def _load(self, path: str) -> LaunchDescription:
        return get_launch_description_from_python_launch_file(path)
