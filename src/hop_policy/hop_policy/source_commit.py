"""Which code is at work, told where results are kept: a version alone does not change with it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

_PATIENCE_S = 5.0


@cache
def source_commit() -> str:
    """Return the commit of the checkout that this runs from, with a "+" if files were changed.

    Empty where there is no checkout, or no git.
    """
    describe = ("git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+")
    try:
        told = subprocess.run(
            describe,
            cwd=Path(__file__).resolve().parent,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()
