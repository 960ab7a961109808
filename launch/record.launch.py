"""The robot, or its twin, with a recorder and without a policy: demonstrations.

Takes the arguments of deploy.launch.py but `policy`. Episodes begin and end by the keys b, y, n and
x of the launch terminal, or by the services /recorder/start, /recorder/stop (data: success) and
/recorder/discard.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource


def refuse_policy(context: LaunchContext) -> None:
    """Refuse a policy: it would move nothing here."""
    if context.launch_configurations.get("policy", "none") != "none":
        raise RuntimeError(
            "record.launch.py runs no policy; deploy.launch.py record:=true records one"
        )


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
            OpaqueFunction(function=refuse_policy),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(deploy), launch_arguments=[("policy", "none")]
            ),
        ]
    )
