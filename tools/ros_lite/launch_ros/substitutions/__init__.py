"""Substitutions of ROS."""

from launch_ros.substitutions.executable_in_package import ExecutableInPackage
from launch_ros.substitutions.find_package import FindPackagePrefix, FindPackageShare

__all__ = ["ExecutableInPackage", "FindPackagePrefix", "FindPackageShare"]
