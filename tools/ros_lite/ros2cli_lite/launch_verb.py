"""`ros2 launch`: a launch file of a package, or by path."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from launch import LaunchDescription, LaunchService, logging
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import (
    PythonLaunchDescriptionSource,
    get_launch_description_from_python_launch_file,
)


class LaunchError(Exception):
    """A command line that cannot be launched."""


def find_launch_file(package: str, name: str) -> Path:
    """Return the launch file `name` anywhere in the package's share folder.

    Raises:
        LaunchError: when the package does not exist, or holds no or several such files.
    """
    try:
        share = Path(get_package_share_directory(package))
    except (PackageNotFoundError, OSError):  # OSError: AMENT_PREFIX_PATH is not set
        raise LaunchError(f"Package '{package}' not found; is the workspace sourced?") from None
    found = sorted(path for path in share.rglob(name) if path.is_file())
    if not found:
        raise LaunchError(
            f"file '{name}' was not found in the share directory of package '{package}'"
        )
    if len(found) > 1:
        raise LaunchError(f"file '{name}' was found more than once in '{package}': {found}")
    return found[0]


def parse_launch_arguments(texts: list[str]) -> list[tuple[str, str]]:
    """Return names and values of `name:=value` texts.

    Raises:
        LaunchError: for any other text.
    """
    for text in texts:
        if not text.partition(":=")[0] or ":=" not in text:
            raise LaunchError(
                f"malformed launch argument '{text}', expected format '<name>:=<value>'"
            )
    return [(name, value) for name, _, value in (text.partition(":=") for text in texts)]


def print_arguments(description: LaunchDescription) -> None:
    """Print the declared launch arguments."""
    print("Arguments (pass arguments as '<name>:=<value>'):")
    arguments = description.get_launch_arguments()
    for argument in arguments:
        print(f"\n    '{argument.name}':\n        {argument.description}")
        if argument.default_value is not None:
            default = " + ".join(part.describe() for part in argument.default_value)
            print(f"        (default: {default})")
    if not arguments:
        print("\n  No arguments.")


def launch(
    path: Path, arguments: list[tuple[str, str]], *, argv: list[str], options: argparse.Namespace
) -> int:
    """Run a launch file; return the exit code."""
    logger = logging.get_logger("launch")
    logger.info(f"All log files can be found below {logging.launch_config.log_dir}")
    declared = {
        argument.name
        for argument in get_launch_description_from_python_launch_file(
            str(path)
        ).get_launch_arguments()
    }
    for name in sorted({name for name, _ in arguments} - declared):
        logger.warning(
            f"{path.name} does not declare the argument '{name}'; --show-args lists them"
        )
    service = LaunchService(
        argv=argv,
        noninteractive=options.noninteractive or not sys.stdin.isatty(),
        debug=options.debug,
    )
    source = PythonLaunchDescriptionSource(str(path))
    include = IncludeLaunchDescription(source, launch_arguments=arguments)
    service.include_launch_description(LaunchDescription([include]))
    return service.run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ros2 launch", description="Run a launch file.")
    parser.add_argument(
        "-n", "--noninteractive", action="store_true", help="no terminal is attached"
    )
    parser.add_argument("-d", "--debug", action="store_true", help="show tracebacks")
    parser.add_argument(
        "-s",
        "--show-args",
        "--show-arguments",
        action="store_true",
        help="show the file's arguments",
    )
    parser.add_argument("package_name", help="name of the package, or path of a launch file")
    parser.add_argument(
        "launch_file_name", nargs="?", help="name of the launch file in the package"
    )
    parser.add_argument("launch_arguments", nargs="*", help="'<name>:=<value>'")
    return parser


def main(argv: list[str]) -> int:
    """Run `ros2 launch`."""
    options = _parser().parse_intermixed_args(argv)
    texts = list(options.launch_arguments)
    try:
        if Path(options.package_name).is_file():
            path = Path(options.package_name)
            texts = [text for text in (options.launch_file_name, *texts) if text]
        elif options.launch_file_name is None:
            raise LaunchError(f"launch file '{options.package_name}' does not exist")
        else:
            path = find_launch_file(options.package_name, options.launch_file_name)
        arguments = parse_launch_arguments(texts)
        if options.show_args:
            print_arguments(get_launch_description_from_python_launch_file(str(path)))
            return 0
        return launch(path, arguments, argv=texts, options=options)
    except LaunchError as error:
        print(f"ros2 launch: {error}", file=sys.stderr)
        return 1
