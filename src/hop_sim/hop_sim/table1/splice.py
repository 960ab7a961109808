"""Replaces the tables of an earlier run in a page that people write around them."""

from __future__ import annotations

from pathlib import Path

from hop_core.errors import ConfigError
from hop_sim.table1.page import BEGIN, END


def require_marks(file: Path) -> None:
    """Pass if the page `file` has one place for the tables.

    Raises:
        ConfigError: it cannot be read, or its marks are missing, doubled or in the wrong order.
    """
    _halves(file)


def spliced(file: Path, tables: str) -> str:
    """Return the page `file` with `tables`, marks included, in place of what is there.

    Errors are those of `require_marks`.
    """
    before, after = _halves(file)
    return before + tables.rstrip("\n") + after


def _halves(file: Path) -> tuple[str, str]:
    """What stands before and after the tables, without the marks."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the page {file} cannot be read: {error}; check the path") from error
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ConfigError(
            f"{file} must hold the lines '{BEGIN}' and '{END}' once each, in this order: the "
            "tables go between them"
        )
    before, _, rest = text.partition(BEGIN)
    return before, rest.partition(END)[2]
