"""Arguments, scopes and includes follow upstream."""

import os

import pytest
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
)
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import PushRosNamespace
from launch_ros.substitutions import FindPackageShare


class Seen(dict):
    """Collects launch configurations at some points of a launch."""

    def at(self, point: str) -> OpaqueFunction:
        def note(context) -> None:
            self[point] = dict(context.launch_configurations)

        return OpaqueFunction(function=note)


@pytest.fixture
def seen():
    return Seen()


def test_an_argument_has_its_given_value_else_its_default(run, seen):
    declare = DeclareLaunchArgument("a", default_value=["x", "y"])
    assert run(declare, seen.at("end")) == 0
    assert seen["end"] == {"a": "xy"}
    assert run(declare, seen.at("end"), a="1") == 0
    assert seen["end"] == {"a": "1"}


def test_a_missing_required_argument_ends_the_launch_with_1(run, capsys):
    assert run(DeclareLaunchArgument("a", description="what it is")) == 1
    assert "Required launch argument 'a'" in capsys.readouterr().out


def test_a_value_outside_of_the_choices_ends_the_launch_with_1(run, capsys):
    declare = DeclareLaunchArgument("robot", default_value="twin", choices=["real", "twin"])
    assert run(declare, robot="toy") == 1
    assert "'toy'; valid options are: ['real', 'twin']" in capsys.readouterr().out
    with pytest.raises(ValueError, match="not one of"):
        DeclareLaunchArgument("robot", default_value="toy", choices=["real", "twin"])


def test_a_group_restores_configurations_and_environment(run, seen, monkeypatch):
    monkeypatch.setenv("ROS_LITE_TEST", "outer")
    inner_environment = {}

    def note(context) -> None:
        inner_environment.update(context.environment)

    group = GroupAction(
        [
            SetLaunchConfiguration("a", "inner"),
            SetEnvironmentVariable("ROS_LITE_TEST", "inner"),
            SetEnvironmentVariable("ROS_LITE_NEW", "inner"),
            seen.at("inside"),
            OpaqueFunction(function=note),
        ],
        launch_configurations={"b": "2"},
    )
    assert run(group, seen.at("behind"), a="outer") == 0
    assert seen["inside"] == {"a": "inner", "b": "2"}
    assert seen["behind"] == {"a": "outer"}
    assert inner_environment["ROS_LITE_TEST"] == "inner"
    assert os.environ["ROS_LITE_TEST"] == "outer"
    assert "ROS_LITE_NEW" not in os.environ


def test_a_group_without_forwarding_sees_nothing_from_outside(run, seen):
    assert run(GroupAction([seen.at("inside")], forwarding=False), seen.at("behind"), a="1") == 0
    assert seen == {"inside": {}, "behind": {"a": "1"}}


def test_an_action_whose_condition_does_not_hold_is_left_out(run, seen):
    action = SetLaunchConfiguration("a", "1", condition=IfCondition(LaunchConfiguration("on")))
    assert run(action, seen.at("end"), on="false") == 0
    assert seen["end"] == {"on": "false"}


def test_an_include_gets_its_arguments_and_its_own_folder(run, seen, package):
    package.add_launch_file(
        "inner.launch.py",
        "DeclareLaunchArgument('a'), SetLaunchConfiguration('dir', ThisLaunchFileDir())",
    )
    path = PathJoinSubstitution([FindPackageShare("demo"), "launch", "inner.launch.py"])
    source = PythonLaunchDescriptionSource(path)
    include = IncludeLaunchDescription(source, launch_arguments=[("a", ["1", "2"])])
    assert run(include, seen.at("behind")) == 0
    # As upstream, an include has no scope of its own.
    assert seen["behind"] == {"a": "12", "dir": str(package.share / "launch")}


def test_an_include_without_a_required_argument_names_it(run, package, capsys):
    path = package.add_launch_file("inner.launch.py", "DeclareLaunchArgument('needed')")
    assert run(IncludeLaunchDescription(str(path))) == 1
    assert "required argument 'needed'" in capsys.readouterr().out


def test_a_launch_file_without_the_function_is_refused(run, tmp_path, capsys):
    path = tmp_path / "empty.launch.py"
    path.write_text("")
    assert run(IncludeLaunchDescription(str(path))) == 1
    assert "does not define generate_launch_description()" in capsys.readouterr().out


def test_arguments_are_listed_once_and_through_groups():
    declare = DeclareLaunchArgument("a", default_value="1")
    again = DeclareLaunchArgument("a", default_value="2")
    description = LaunchDescription([GroupAction([declare]), again])
    assert description.get_launch_arguments() == [declare]


@pytest.mark.parametrize(
    ("pushed", "expected"),
    [(["cell"], "cell"), (["cell", "arm"], "cell/arm"), (["cell", "/arm"], "/arm")],
)
def test_namespaces_are_joined_unless_absolute(run, seen, pushed, expected):
    assert run(*(PushRosNamespace(name) for name in pushed), seen.at("end")) == 0
    assert seen["end"] == {"ros_namespace": expected}
