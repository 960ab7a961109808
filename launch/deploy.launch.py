"""The robot, or its twin, with everything that runs a policy on it.

Every node but the keys is required: when one ends, for whatever reason, the launch ends, and the
drivers leave their devices safe. Nothing comes back by itself on a robot.
"""

import sys
from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import (
    EnvironmentVariable,
    LaunchConfiguration,
    PathJoinSubstitution,
    PythonExpression,
)
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from hop_core.config import config_path
from hop_core.errors import ConfigError

IS_TWIN = PythonExpression(["'", LaunchConfiguration("robot"), "' == 'twin'"])
DEFAULT_LAB = PythonExpression(
    [
        "'twin' if '",
        LaunchConfiguration("robot"),
        "' == 'twin' else '",
        EnvironmentVariable("HOP_LAB", default_value=""),
        "'",
    ]
)
SHIPPED_POLICY = PathJoinSubstitution(
    [FindPackageShare("hop_policy"), "checkpoints", LaunchConfiguration("task")]
)
AUTO_SOURCE = PythonExpression(
    ["'policy' if '", LaunchConfiguration("source"), "' == 'policy' else 'none'"]
)
SWITCH = ["true", "false"]
RECORDER_END_S = "15"  # a recorder completes its bag before it goes

ARGUMENTS = [
    DeclareLaunchArgument(
        "robot", default_value="real", choices=["real", "twin"], description="What moves."
    ),
    DeclareLaunchArgument(
        "lab",
        default_value=DEFAULT_LAB,
        description="Name of the robot's config/robots/*.yaml; default: $HOP_LAB, or 'twin' for "
        "robot:=twin.",
    ),
    DeclareLaunchArgument(
        "config_dir",
        default_value="",
        description="Folder of configurations; empty: the installed ones.",
    ),
    DeclareLaunchArgument(
        "twin_address",
        default_value="",
        description="Loopback address of the twin; empty: as in its yaml. 127.0.0.2, with another "
        "ROS_DOMAIN_ID, makes a second twin beside the first.",
    ),
    DeclareLaunchArgument("task", default_value="grasp_lift", description="Task."),
    DeclareLaunchArgument(
        "policy",
        default_value=SHIPPED_POLICY,
        description="Checkpoint directory; 'untrained' for random weights (a real robot: with "
        "execute:=false), 'none' for no policy.",
    ),
    DeclareLaunchArgument(
        "policy_form",
        default_value="auto",
        choices=["auto", "eager", "exported"],
        description="What runs the policy; auto: its exported form (hop export) where the "
        "checkpoint holds one.",
    ),
    DeclareLaunchArgument(
        "execute",
        default_value="true",
        choices=SWITCH,
        description="false: shadow mode, everything runs and nothing is sent.",
    ),
    DeclareLaunchArgument(
        "speed_scale", default_value="1.0", description="Scale of all speed limits, 0 to 1."
    ),
    DeclareLaunchArgument(
        "auto_arm",
        default_value=IS_TWIN,
        description="Arm as soon as all is fresh, once, and give the robot to the policy; the "
        "twin only.",
    ),
    DeclareLaunchArgument(
        "auto_start",
        default_value="true",
        choices=SWITCH,
        description="The policy ticks from the start; false: from /policy/start on.",
    ),
    DeclareLaunchArgument(
        "duration",
        default_value="0.0",
        description="Seconds after which the policy, and with it the launch, ends; 0: never.",
    ),
    DeclareLaunchArgument(
        "report", default_value="", description="File for the policy's cadence report (JSON)."
    ),
    DeclareLaunchArgument(
        "record",
        default_value="false",
        choices=SWITCH,
        description="Record from the start; false: from /recorder/start on.",
    ),
    DeclareLaunchArgument(
        "source", default_value="policy", description="Who moves the robot, for the recordings."
    ),
]


def text(name: str) -> ParameterValue:
    """Return a launch argument as a text parameter, whatever it looks like."""
    return ParameterValue(LaunchConfiguration(name), value_type=str)


def typed(name: str, value_type: type) -> ParameterValue:
    """Return a launch argument as a parameter of a type."""
    return ParameterValue(LaunchConfiguration(name), value_type=value_type)


def required(package: str, executable: str, **kwargs: object) -> Node:
    """Return a node with the common parameters whose end is the launch's end."""
    common = {
        "config_dir": text("config_dir"),
        "robot": text("lab"),
        "twin_address": text("twin_address"),
    }
    return Node(
        package=package,
        executable=executable,
        parameters=[{**common, **kwargs.pop("parameters", {})}],
        output="screen",
        on_exit=Shutdown(reason=f"{executable} ended"),
        **kwargs,
    )


def check_robot(context: LaunchContext) -> None:
    """Refuse a robot without a description, and a real one that random weights would move."""
    robot, lab, chosen, execute = (
        LaunchConfiguration(name).perform(context) for name in ("robot", "lab", "policy", "execute")
    )
    if not lab:
        raise RuntimeError(
            "which robot? Pass lab:=NAME or set HOP_LAB to the NAME of your config/robots/NAME.yaml"
            " (start from example_lab.yaml), or pass robot:=twin"
        )
    if (robot, chosen, execute) == ("real", "untrained", "true"):
        raise RuntimeError(
            "policy:=untrained has random weights: on a real robot only in shadow mode; add "
            "execute:=false"
        )
    try:
        config_path(f"robots/{lab}.yaml", LaunchConfiguration("config_dir").perform(context))
    except ConfigError as error:
        raise RuntimeError(f"lab:={lab} has no description: {error}") from error


def check_policy(context: LaunchContext) -> None:
    """Refuse to take the shipped policy of a task that has none."""
    shipped = SHIPPED_POLICY.perform(context)
    if LaunchConfiguration("policy").perform(context) == shipped and not Path(shipped).is_dir():
        task = LaunchConfiguration("task").perform(context)
        raise RuntimeError(
            f"no policy is shipped for the task '{task}'; pass policy:=CHECKPOINT, or policy:=none"
        )


def policy(context: LaunchContext) -> list[Node]:
    """Return the policy's node, unless there is to be none."""
    if LaunchConfiguration("policy").perform(context) == "none":
        return []
    parameters = {
        "policy": text("policy"),
        "form": text("policy_form"),
        "auto_start": typed("auto_start", bool),
        "duration": typed("duration", float),
        "report": text("report"),
    }
    return [required("hop_policy", "policy_node", parameters=parameters)]


def generate_launch_description() -> LaunchDescription:
    """Return the arguments, the twin where it is the robot, and the nodes."""
    twin = str(Path(__file__).with_name("twin.launch.py"))
    supervision = {
        "execute": typed("execute", bool),
        "auto_arm": typed("auto_arm", bool),
        "auto_source": ParameterValue(AUTO_SOURCE, value_type=str),
        "speed_scale": typed("speed_scale", float),
    }
    recording = {
        "task": text("task"),
        "source": text("source"),
        "policy": text("policy"),
        "record": typed("record", bool),
    }
    keys = [Node(package="hop_drivers", executable="terminal_keys", output="screen")]
    return LaunchDescription(
        [
            *ARGUMENTS,
            OpaqueFunction(function=check_robot),
            OpaqueFunction(function=check_policy),
            # A driver must not outlive a launch that was killed (hop_core.nodes.runtime).
            SetEnvironmentVariable("HOP_EXIT_WITH_PARENT", "1"),
            # All matrices are small: a pool of threads in each process would only fight for cores.
            SetEnvironmentVariable("OMP_NUM_THREADS", "1"),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(twin), condition=IfCondition(IS_TWIN)
            ),
            required("hop_drivers", "zed_node"),
            required("hop_drivers", "xarm_node"),
            required("hop_drivers", "allegro_node"),
            required("hop_drivers", "supervisor_node", parameters=supervision),
            OpaqueFunction(function=policy),
            required(
                "hop_policy", "recorder_node", parameters=recording, sigterm_timeout=RECORDER_END_S
            ),
            *(keys if sys.stdin is not None and sys.stdin.isatty() else []),
        ]
    )
