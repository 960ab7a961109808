"""The `hop` command and its verbs.

Verbs are plug-ins that packages register under the entry-point group `hop.verbs`. A verb is
`main(argv: list[str]) -> int`. Only the verb that was asked for is imported.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from hop_core.ending_signals import interrupt_on_ending_signal
from hop_core.errors import HopError

VERB_GROUP = "hop.verbs"
INTERRUPTED = 130
"""Exit code of a verb that the user, or the system, ended; the shell's for Ctrl-C."""


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
    try:
        return int(known[argv[0]].load()(argv[1:]))
    except HopError as error:
        print(f"{program} {argv[0]}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{program} {argv[0]}: interrupted", file=sys.stderr)
        return INTERRUPTED


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
