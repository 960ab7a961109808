"""Kinds of launch files."""

from launch.launch_description_sources.python_launch_description_source import (
    PythonLaunchDescriptionSource,
    get_launch_description_from_python_launch_file,
)

__all__ = ["PythonLaunchDescriptionSource", "get_launch_description_from_python_launch_file"]
