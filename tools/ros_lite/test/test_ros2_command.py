"""`ros2 launch` and `ros2 run` behave like upstream's, and give way to them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROS_LITE = Path(__file__).resolve().parents[1]

DECLARATIONS = """
DeclareLaunchArgument(
    'robot', default_value='twin', description='Which robot.', choices=['real', 'twin']),
DeclareLaunchArgument('task', description='Which task.'),
DeclareLaunchArgument('who', default_value=LaunchConfiguration('robot')),
LogInfo(msg=['task is ', LaunchConfiguration('task')]),
"""


def test_show_args_lists_names_descriptions_choices_and_defaults(package, ros2):
    package.add_launch_file("a.launch.py", DECLARATIONS)
    result = ros2("launch", "demo", "a.launch.py", "--show-args")
    assert result.returncode == 0
    assert result.stdout.splitlines() == [
        "Arguments (pass arguments as '<name>:=<value>'):",
        "",
        "    'robot':",
        "        Which robot. Valid choices are: ['real', 'twin']",
        "        (default: 'twin')",
        "",
        "    'task':",
        "        Which task.",
        "",
        "    'who':",
        "        no description given",
        "        (default: LaunchConfig('robot'))",
    ]


def test_show_args_of_a_file_without_arguments(package, ros2):
    path = package.add_launch_file("a.launch.py", "")
    assert "No arguments." in ros2("launch", "-s", str(path)).stdout


def test_arguments_reach_the_launch_file(package, ros2):
    path = package.add_launch_file("a.launch.py", DECLARATIONS)
    for where in ([str(path)], ["demo", "a.launch.py"]):
        result = ros2("launch", *where, "task:=grasp_lift:=2", "robot:=real")
        assert result.returncode == 0
        assert "[INFO] [launch.user]: task is grasp_lift:=2" in result.stdout


def test_an_argument_that_is_not_declared_is_pointed_out(package, ros2):
    path = package.add_launch_file("a.launch.py", DECLARATIONS)
    result = ros2("launch", str(path), "task:=x", "robt:=twin")
    assert "does not declare the argument 'robt'" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere", "a.launch.py"], "Package 'nowhere' not found"),
        (["demo", "b.launch.py"], "file 'b.launch.py' was not found"),
        (["demo", "a.launch.py", "task=x"], "malformed launch argument 'task=x'"),
        (["absent.launch.py"], "launch file 'absent.launch.py' does not exist"),
    ],
)
def test_a_wrong_command_line_gets_one_sentence(package, ros2, arguments, sentence):
    package.add_launch_file("a.launch.py", DECLARATIONS)
    result = ros2("launch", *arguments)
    assert result.returncode == 1
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_run_passes_arguments_output_and_exit_code_through(package, ros2):
    package.add_executable("echo.py", "import sys; print(sys.argv[1:]); sys.exit(7)")
    result = ros2("run", "demo", "echo.py", "--ros-args", "-p", "a:=1")
    assert (result.returncode, result.stdout.strip()) == (7, "['--ros-args', '-p', 'a:=1']")
    assert ros2("run", "demo", "absent").returncode == 1


def test_another_verb_says_what_is_missing(ros2):
    result = ros2("topic", "list")
    assert result.returncode == 2
    assert "'topic' is not available" in result.stderr


def test_real_packages_win(tmp_path):
    real = tmp_path / "launch"
    real.mkdir()
    (real / "__init__.py").write_text("REAL = True\n")
    code = f"import sys; sys.path.append({str(ROS_LITE)!r}); import launch; print(launch.__file__)"
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with_real = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    assert with_real.strip() == str(real / "__init__.py")
    env["PYTHONPATH"] = ""
    without = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    assert without.strip() == str(ROS_LITE / "launch" / "__init__.py")
