"""`ros2 run`: an executable of a package."""

from __future__ import annotations

import argparse
import os
import shlex
import sys

from launch import LaunchContext
from launch.substitution import SubstitutionFailure
from launch_ros.substitutions import ExecutableInPackage


def main(argv: list[str]) -> int:
    """Replace this process by the executable, so that signals and exit code are its own."""
    parser = argparse.ArgumentParser(
        prog="ros2 run", description="Run a package specific executable."
    )
    parser.add_argument("--prefix", default="", help="command line to put before the executable")
    parser.add_argument("package_name", help="name of the ROS package")
    parser.add_argument("executable_name", help="name of the executable")
    parser.add_argument("argv", nargs=argparse.REMAINDER, help="arguments of the executable")
    arguments = parser.parse_args(argv)
    finder = ExecutableInPackage(arguments.executable_name, arguments.package_name)
    try:
        path = finder.perform(LaunchContext())
    except SubstitutionFailure as error:
        print(f"ros2 run: {error}", file=sys.stderr)
        return 1
    command = [*shlex.split(arguments.prefix), path, *arguments.argv]
    sys.stdout.flush()
    os.execvp(command[0], command)
