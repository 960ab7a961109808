"""Figure of the distributions of errors, contact and smoothness."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hop_sim.trajectories.report.quality import Distribution
from hop_sim.trajectories.report.style import (
    REFERENCE,
    STORE,
    STORE_LIGHT,
    new_figure,
    say_unknown,
)

_COLUMNS = 3
_NOTES_PT = 27.0


def draw_distributions(distributions: Sequence[Distribution]) -> Figure:
    """Draw a histogram of each figure, with its median and what it is held against."""
    rows = -(-len(distributions) // _COLUMNS)
    figure = new_figure(2.5 * rows)
    panels = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in panels[len(distributions) :]:
        axes.set_axis_off()
    for axes, each in zip(panels, distributions, strict=False):
        _draw(axes, each)
    return figure


def _draw(axes: Axes, each: Distribution) -> None:
    axes.set_title(each.title, pad=_NOTES_PT)
    axes.set_xlabel("% of steps" if each.unit == "%" else each.unit)
    if not each.known:
        say_unknown(axes)
        return
    shares = 100.0 * each.counts / each.known
    axes.stairs(shares, each.edges, fill=True, color=STORE_LIGHT)
    axes.stairs(shares, each.edges, color=STORE, lw=0.8)
    axes.set_ylabel(f"% of {each.of}")
    axes.set_ylim(bottom=0.0)
    right = float(each.edges[-1])
    axes.axvline(float(each.percentiles[1]), color=STORE, lw=1.6)
    if each.mark is not None:
        axes.axvline(each.mark.value, color=REFERENCE, ls="--", lw=1.0)
        right = max(right, 1.05 * each.mark.value)
    axes.set_xlim(float(each.edges[0]), right)
    axes.annotate(
        _notes(each), (0.0, 1.0), xycoords="axes fraction", xytext=(0.0, 3.0),
        textcoords="offset points", va="bottom", fontsize=8.0, color=REFERENCE,
    )  # fmt: skip


def _notes(each: Distribution) -> str:
    """Two lines below the title: what the lines are, and what is missing."""
    second = [] if each.mark is None else [f"dashed: {each.mark.text}"]
    if each.unknown:
        second.append(f"{each.unknown:,} not known")
    first = f"median {each.percentiles[1]:.3g}, 95 % below {each.percentiles[2]:.3g}"
    return f"{first}\n{'; '.join(second)}"
