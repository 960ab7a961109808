"""Substitutions become the strings that upstream makes of them."""

import sys

import pytest
from launch import LaunchContext
from launch.conditions import IfCondition, InvalidConditionExpressionError, UnlessCondition
from launch.substitutions import (
    Command,
    EnvironmentVariable,
    LaunchConfiguration,
    PathJoinSubstitution,
    PythonExpression,
    SubstitutionFailure,
    TextSubstitution,
    ThisLaunchFileDir,
)
from launch_ros.substitutions import ExecutableInPackage, FindPackagePrefix, FindPackageShare


def test_a_launch_configuration_is_its_value_else_its_default(perform):
    assert perform(LaunchConfiguration("a", default=["x", "y"]), a="1") == "1"
    assert perform(LaunchConfiguration("a", default=["x", TextSubstitution(text="y")])) == "xy"
    with pytest.raises(SubstitutionFailure, match="'a' does not exist"):
        perform(LaunchConfiguration("a"))


def test_a_python_expression_knows_math_and_the_named_modules(perform):
    expression = ["'", LaunchConfiguration("robot"), "' == 'twin'"]
    assert perform(PythonExpression(expression), robot="twin") == "True"
    assert perform(PythonExpression("floor(2.5) + math.ceil(0.5)")) == "3"
    assert perform(PythonExpression("os.sep", ["os"])) == "/"
    with pytest.raises(SubstitutionFailure, match="ZeroDivisionError"):
        perform(PythonExpression("1 / 0"))


def test_a_path_joins_its_parts_and_concatenates_within_one(perform):
    path = PathJoinSubstitution(["/a", "b", [LaunchConfiguration("name"), ".yaml"]])
    assert perform(path, name="lab") == "/a/b/lab.yaml"


def test_an_environment_variable_is_its_value_else_its_default(perform, monkeypatch):
    monkeypatch.setenv("ROS_LITE_TEST", "here")
    assert perform(EnvironmentVariable("ROS_LITE_TEST")) == "here"
    assert perform(EnvironmentVariable("ROS_LITE_MISSING", default_value="there")) == "there"
    with pytest.raises(SubstitutionFailure, match="ROS_LITE_MISSING"):
        perform(EnvironmentVariable("ROS_LITE_MISSING"))


def test_a_command_is_its_output_and_fails_with_it(perform):
    assert perform(Command(["echo ", LaunchConfiguration("a")]), a="'x y'") == "x y\n"
    with pytest.raises(SubstitutionFailure, match="returned 3"):
        perform(Command("bash -c 'exit 3'"))
    with pytest.raises(SubstitutionFailure, match="wrote to stderr: oops"):
        perform(Command("bash -c 'echo oops >&2'"))
    assert perform(Command("bash -c 'echo oops >&2'", on_stderr="capture")) == "oops\n"


def test_the_launch_file_dir_exists_only_inside_of_a_launch_file(perform):
    with pytest.raises(SubstitutionFailure, match="outside of a launch file"):
        perform(ThisLaunchFileDir())


def test_package_folders_are_found_through_the_ament_index(perform, package):
    assert perform(FindPackageShare("demo")) == str(package.share)
    assert perform(FindPackagePrefix("demo")) == str(package.prefix)
    with pytest.raises(SubstitutionFailure, match="'nowhere' not found"):
        perform(FindPackageShare("nowhere"))
    with pytest.raises(SubstitutionFailure, match="executable 'absent' not found"):
        perform(ExecutableInPackage("absent", "demo"))


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("False", False), (" 1 ", True), ("0", False)]
)
def test_conditions_take_true_false_1_and_0(text, value):
    context = LaunchContext()
    assert IfCondition(text).evaluate(context) is value
    assert UnlessCondition(text).evaluate(context) is not value


def test_any_other_condition_is_refused():
    with pytest.raises(InvalidConditionExpressionError, match="maybe"):
        IfCondition("maybe").evaluate(LaunchContext())


def test_text_must_be_text():
    with pytest.raises(TypeError, match="expects text"):
        TextSubstitution(text=sys)
