"""Pieces of HTML; every text that goes in is escaped."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #24292e; max-width: 1000px;
  margin: 2em auto 4em; padding: 0 1em; background: #fff; }
h1 { font-size: 1.5em; font-weight: 600; margin-bottom: 0; }
h2 { font-size: 1.15em; font-weight: 600; margin: 2.2em 0 .4em; border-bottom: 1px solid #d5d9dd; }
p.note { color: #57606a; margin: .3em 0 .8em; }
p.warning { border-left: 4px solid #d0711c; background: #fdf4ec; padding: .5em .8em; }
img { max-width: 100%; display: block; margin: .4em 0 1em; }
table { border-collapse: collapse; font-size: 13px; margin: .6em 0 1.4em;
  font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; border-bottom: 1px solid #8b9096; }
td { text-align: right; border-bottom: 1px solid #eceef0; }
th, td { padding: .15em .7em; vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15em 1.2em; margin: 1em 0; }
dt { color: #57606a; }
dd { margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
"""
# A browser that is told this loads nothing from anywhere.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, parts: Iterable[str]) -> str:
    """Return a page of `parts` of HTML that needs no other file and no network."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def note(text: str) -> str:
    """Return a paragraph that explains."""
    return f'<p class="note">{escape(text)}</p>'


def warning(text: str) -> str:
    """Return a paragraph that must be seen."""
    return f'<p class="warning">{escape(text)}</p>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of names with their values."""
    lines = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return "<dl>\n" + "\n".join(lines) + "\n</dl>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; the first column is of names, the others of numbers."""
    lines = (_row("td", row) for row in rows)
    return (
        f"<table>\n<thead>{_row('th', head)}</thead>\n<tbody>\n"
        + "\n".join(lines)
        + ("\n</tbody>\n</table>")
    )


def picture(png: bytes, text: str) -> str:
    """Return a PNG file as a part of the page; `text` says what it shows."""
    content = base64.b64encode(png).decode()
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{content}">'


def _row(cell: str, values: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{cell}>{escape(value)}</{cell}>" for value in values) + "</tr>"
