"""Stand-in for ROS 2 `launch_ros`: the subset that HOP uses, where the real package is missing."""

from launch_ros import actions, parameter_descriptions, substitutions

__all__ = ["actions", "parameter_descriptions", "substitutions"]
