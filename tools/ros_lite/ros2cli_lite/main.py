"""Entry of the `ros2` command."""

from __future__ import annotations

import sys
from collections.abc import Callable

from ros2cli_lite import launch_verb, run_verb

VERBS: dict[str, Callable[[list[str]], int]] = {
    "launch": launch_verb.main,
    "run": run_verb.main,
}


def main(argv: list[str] | None = None) -> int:
    """Run a verb; return the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        print(
            "usage: ros2 {launch,run} ...\n\n"
            "The subset of ros2 that HOP brings where ROS comes from wheels."
        )
        return 0
    verb = VERBS.get(arguments[0])
    if verb is None:
        print(
            f"ros2: '{arguments[0]}' is not available where ROS comes from wheels (launch and run "
            "are); install ROS 2 Jazzy for the whole command",
            file=sys.stderr,
        )
        return 2
    return verb(arguments[1:])
