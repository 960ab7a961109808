"""The robot, or its twin, with a recorder and without a policy: demonstrations.

Takes the arguments of deploy.launch.py. Episodes begin and end by the services /recorder/start,
/recorder/stop (data: success) and /recorder/discard.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def generate_launch_description() -> LaunchDescription:
    """Return deploy.launch.py without a policy."""
    deploy = str(Path(__file__).with_name("deploy.launch.py"))
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "source",
                default_value="teleop",
                choices=["teleop", "expert"],
                description="Who moves the robot.",
            ),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(deploy), launch_arguments=[("policy", "none")]
            ),
        ]
    )
