"""Replaces the tables of an earlier run in a page that people write around them."""

from __future__ import annotations

from pathlib import Path

from hop_core.durable_files import replace_file
from hop_core.errors import ConfigError
from hop_sim.table1.page import BEGIN, END


def require_marks(file: Path) -> None:
    """Pass if the page `file` has one place for the tables.

    Raises:
        ConfigError: it cannot be read, or its marks are missing, doubled or in the wrong order.
    """
    _halves(file)


def splice(file: Path, tables: str) -> None:
    """Put `tables`, marks included, in place of what is between the marks of the page `file`.

    Raises:
        ConfigError: as `require_marks`; or the page cannot be written, and is as it was.
    """
    before, after = _halves(file)
    try:
        replace_file(file, (before + tables.rstrip("\n") + after).encode())
    except OSError as error:
        raise ConfigError(
            f"the page {file} cannot be written: {error.strerror}; make room or check its "
            "permissions, then run again with --report: the tables are kept in the run"
        ) from error


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
