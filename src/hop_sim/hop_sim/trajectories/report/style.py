"""How the report's figures look; matplotlib without a display."""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

STORE, STORE_LIGHT = "#2b6288", "#b3cbdb"
DEMONSTRATIONS = "#d0711c"
REFERENCE, FAINT = "#3c3c3c", "#8b9096"
DENSITY = "Blues"
WIDTH_IN = 9.8
OVER_BARS = [withStroke(linewidth=2.4, foreground="white")]
"""Path effect that lets a thin dark line be seen over dark bars."""
_DPI = 100
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": REFERENCE,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": REFERENCE,
    "ytick.labelcolor": REFERENCE,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
}


def report_style() -> AbstractContextManager[None]:
    """Return the context in which figures are made and written."""
    return rc_context(_STYLE)


def new_figure(
    height_in: float, layout: Literal["constrained", "compressed"] = "constrained"
) -> Figure:
    """Return an empty figure as wide as the page; "compressed" suits panels of equal aspect."""
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=_DPI, layout=layout)
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """Return a figure as a PNG file, the same for the same figure."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()


def draw_intervals(axes: Axes, five: np.ndarray, rows: np.ndarray, colour: str) -> None:
    """Draw spreads as rows: thin from end to end, thick between quartiles, a tick at the median.

    Args:
        axes: where.
        five: (5, N) low end, quartile, median, quartile, high end.
        rows: (N,) places down the axes.
        colour: of the lines.
    """
    low, q25, median, q75, high = five
    axes.hlines(rows, low, high, color=colour, lw=1.2)
    axes.hlines(rows, q25, q75, color=colour, lw=4.6)
    for paint, width in ((colour, 3.0), ("white", 1.2)):
        axes.plot(median, rows, ls="none", marker="|", ms=5.0, mew=width, color=paint)


def say_unknown(axes: Axes) -> None:
    """Let a panel say that there is nothing to draw."""
    axes.text(0.5, 0.5, "not known", transform=axes.transAxes, ha="center", color=FAINT)
    axes.set_xticks([])
    axes.set_yticks([])


def shortened(text: str, most: int = 34) -> str:
    """Return `text` without its middle if it is longer than `most`."""
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[head + 1 - most :]}"


def percent(share: float) -> str:
    """Return a share as the workspace writes it."""
    return f"{100.0 * share:.1f} %"
