"""Actions of ROS."""

from launch_ros.actions.node import Node
from launch_ros.actions.push_ros_namespace import PushRosNamespace

__all__ = ["Node", "PushRosNamespace"]
