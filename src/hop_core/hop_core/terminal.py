"""Where commands print their tables."""

from __future__ import annotations

import sys

from rich.console import Console

_FILE_COLUMNS = 200


def table_console() -> Console:
    """Return the console of standard output; in a file or a pipe it cuts nothing short."""
    return Console() if sys.stdout.isatty() else Console(width=_FILE_COLUMNS)
