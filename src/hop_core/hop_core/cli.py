"""The `hop` command and its verbs.

Verbs are plug-ins that packages register under the entry-point group `hop.verbs`. A verb is
`main(argv: list[str]) -> int`. Only the verb that was asked for is imported.
"""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from hop_core.ending_signals import interrupt_on_ending_signal
from hop_core.errors import HopError, denied

VERB_GROUP = "hop.verbs"
INTERRUPTED = 130
"""Exit code of a verb that the user, or the system, ended; the shell's for Ctrl-C."""
PIPE_CLOSED = 141
"""Exit code of a verb whose output nobody takes any more; the shell's for SIGPIPE."""


def verbs(group: str = VERB_GROUP) -> dict[str, EntryPoint]:
    """Return the registered verbs of `group` by name, sorted."""
    return {
        entry.name: entry
        for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)
    }


def run_verb(group: str, program: str, argv: list[str]) -> int:
    """Run the verb named by `argv[0]` with the rest of `argv`; return the exit code.

    An expected failure is printed as one sentence on stderr and gives its own exit code; a wrong
    verb gives 2.

    Args:
        group: entry-point group of the verbs.
        program: name of the command, for its own messages.
        argv: the verb and its arguments.
    """
    known = verbs(group)
    if not argv or argv[0] in ("-h", "--help"):
        print(usage(known, program))
        return 0 if argv else 2
    if argv[0] not in known:
        print(f"{program}: unknown verb '{argv[0]}'; verbs: {', '.join(known)}", file=sys.stderr)
        return 2
    return run_command(known[argv[0]].load(), f"{program} {argv[0]}", argv[1:])


def run_command(command: Callable[[list[str]], int], name: str, argv: list[str]) -> int:
    """Run `command` with `argv`; return its exit code.

    An expected failure, or a place that the user may not enter, is printed as one sentence, which
    begins with `name`, on stderr and gives its own exit code. Whoever closes the pipe that is
    printed to is told nothing more.
    """
    try:
        code = int(command(argv))
        sys.stdout.flush()
    except HopError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except PermissionError as error:
        print(f"{name}: {denied(error)}", file=sys.stderr)
        return HopError.exit_code
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # What is held back would fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code


def usage(known: Mapping[str, EntryPoint], program: str) -> str:
    """Return what `--help` prints: the verbs of `program`, a line each."""
    width = max(map(len, known), default=0)
    lines = [f"  {name:{width}}  {_summary(entry)}".rstrip() for name, entry in known.items()]
    table = "\n".join(lines)
    return f"usage: {program} VERB [options]\n\n{table}\n\n'{program} VERB --help' explains one."


def _summary(entry: EntryPoint) -> str:
    """First clause of the verb's docstring, read from its source: importing torch takes seconds."""
    spec = find_spec(entry.module)
    if spec is None or spec.origin is None:
        return "cannot be imported: make build"
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            return re.split(r"[;.](?:\s|$)", ast.get_docstring(node) or "")[0]
    return ""


def main() -> int:
    """Run `hop`; however it is asked to end, what it started ends with it."""
    interrupt_on_ending_signal()
    return run_verb(VERB_GROUP, "hop", sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
