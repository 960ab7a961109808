"""Consoles: where commands print their tables, and whether progress can be a bar."""

from __future__ import annotations

import sys

from rich.console import Console

_FILE_COLUMNS = 200


def table_console() -> Console:
    """Return the console of standard output; in a file or a pipe it cuts nothing short."""
    return Console() if sys.stdout.isatty() else Console(width=_FILE_COLUMNS)


def can_redraw(console: Console) -> bool:
    """Return whether what stands on `console` can be drawn over: no file, and no dumb terminal."""
    return console.is_terminal and not console.is_dumb_terminal
