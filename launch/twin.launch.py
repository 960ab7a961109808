"""The digital twin alone: arm, hand and camera behind their own protocols on loopback, no node."""

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.substitutions import ExecutableInPackage

OPTIONS = {
    "--robot": "lab",
    "--task": "task",
    "--seed": "seed",
    "--address": "twin_address",
    "--config-dir": "config_dir",
}


def twin(context: LaunchContext) -> list[ExecuteProcess]:
    """Return the twin's process; an option whose argument is empty is left out."""
    values = {
        option: LaunchConfiguration(name).perform(context) for option, name in OPTIONS.items()
    }
    options = [text for option, value in values.items() if value for text in (option, value)]
    return [
        ExecuteProcess(
            cmd=[ExecutableInPackage("twin", "hop_sim"), *options],
            name="twin",
            output="screen",
            on_exit=Shutdown(reason="the twin ended"),
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments and the twin."""
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "lab", default_value="twin", description="Name of the twin's config/robots/*.yaml."
            ),
            DeclareLaunchArgument(
                "task", default_value="grasp_lift", description="Task whose scene is simulated."
            ),
            DeclareLaunchArgument(
                "seed", default_value="0", description="Seed of the twin's first episode."
            ),
            DeclareLaunchArgument(
                "twin_address",
                default_value="",
                description="Loopback address of its servers; empty: as in its yaml.",
            ),
            DeclareLaunchArgument(
                "config_dir",
                default_value="",
                description="Folder of configurations; empty: the installed ones.",
            ),
            OpaqueFunction(function=twin),
        ]
    )
