"""A Node is started with upstream's arguments, and a real rclpy node understands them."""

import os
import sys

import pytest
import yaml
from launch import LaunchContext
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node, PushRosNamespace
from launch_ros.parameter_descriptions import ParameterFile, ParameterValue

RCLPY_NODE = """
import rclpy
from rclpy.node import Node
rclpy.init()
node = Node('default_name', automatically_declare_parameters_from_overrides=True)
values = {name: node.get_parameter(name).value for name in ('a', 'b', 'c', 'd.e', 'f', 'g')}
print('SEEN', node.get_fully_qualified_name(), node.resolve_topic_name('from'), values)
"""


def parameters_of(context: LaunchContext, **kwargs) -> dict:
    """Return what a node's only dictionary is written as."""
    command = Node(executable=sys.executable, **kwargs).command(context)
    file = command[command.index("--params-file") + 1]
    with open(file) as stream:
        return yaml.safe_load(stream)


@pytest.fixture
def context():
    context = LaunchContext()
    yield context
    context.remove_temporary_directory()


def test_text_becomes_the_type_that_yaml_gives_it_unless_told(context):
    context.launch_configurations.update(flag="true", number="2", path="2")
    written = parameters_of(
        context,
        parameters=[
            {
                "flag": LaunchConfiguration("flag"),
                "number": ParameterValue(LaunchConfiguration("number"), value_type=float),
                "path": ParameterValue(LaunchConfiguration("path"), value_type=str),
                "nested": {"list": [1, 2], "text": ["a", LaunchConfiguration("path")]},
                "empty": "",
            }
        ],
    )
    assert written == {
        "/**": {
            "ros__parameters": {
                "flag": True,
                "number": 2.0,
                "path": "2",
                "nested.list": [1, 2],
                "nested.text": "a2",
                "empty": "",
            }
        }
    }


def test_a_value_of_another_type_is_refused(context):
    with pytest.raises(TypeError, match="is not of type bool"):
        parameters_of(context, parameters=[{"a": ParameterValue("1", value_type=bool)}])


def test_a_dictionary_is_for_the_named_node_in_its_namespace(context):
    PushRosNamespace("cell").execute(context)
    written = parameters_of(context, name="arm", namespace="left", parameters=[{"a": 1}])
    assert list(written) == ["/cell/left/arm"]


def test_the_command_line_is_upstreams(context, tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("/**: {ros__parameters: {a: 1}}")
    node = Node(
        executable=sys.executable,
        name="arm",
        namespace="/cell",
        arguments=["--flag"],
        ros_arguments=["--log-level", "debug"],
        parameters=[ParameterFile(file)],
        remappings=[("from", "to")],
    )
    rest = ["--log-level", "debug", "-r", "__node:=arm", "-r", "__ns:=/cell"]
    rest += ["--params-file", str(file), "-r", "from:=to"]
    assert node.command(context) == [sys.executable, "--flag", "--ros-args", *rest]


def test_a_missing_parameter_file_ends_the_launch_with_1(run, capsys):
    assert run(Node(executable=sys.executable, parameters=["/no/such.yaml"])) == 1
    assert "parameter file '/no/such.yaml' does not exist" in capsys.readouterr().out


def test_a_missing_executable_ends_the_launch_with_1(run, package, capsys):
    assert run(Node(package="demo", executable="absent")) == 1
    assert "executable 'absent' not found" in capsys.readouterr().out


@pytest.mark.ros
def test_parameters_names_and_remappings_reach_an_rclpy_node(run, package, tmp_path, capsys):
    pytest.importorskip("rclpy")
    package.add_executable("node.py", RCLPY_NODE)
    file = tmp_path / "parameters.yaml"
    file.write_text("/**:\n  ros__parameters: {a: 1, b: from file, g: [1.0, 2.0]}\n")
    node = Node(
        package="demo",
        executable="node.py",
        name="arm",
        namespace="cell",
        output="screen",
        parameters=[
            str(file),
            {
                "b": ParameterValue("no", value_type=str),
                "c": 1e-5,
                "d": {"e": 2.5},
                "f": ["x", "y"],
            },
        ],
        remappings=[("from", "/to")],
        additional_env={
            "ROS_DOMAIN_ID": os.environ["HOP_TEST_DOMAIN"],
            "HOME": os.environ.get("HOME", str(tmp_path)),
        },
    )
    assert run(node) == 0
    expected = {"a": 1, "b": "no", "c": 1e-5, "d.e": 2.5, "f": ["x", "y"], "g": [1.0, 2.0]}
    out = capsys.readouterr().out
    assert "SEEN /cell/arm /to" in out
    for name, value in expected.items():
        assert f"{name!r}: {value!r}" in out
