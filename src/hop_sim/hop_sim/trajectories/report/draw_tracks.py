"""Figures of keep rates and of reasons of rejection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hop_sim.trajectories.report.overview import PAPER_ATTEMPTS, PAPER_KEPT, Overview, TrackRate
from hop_sim.trajectories.report.style import (
    FAINT,
    OVER_BARS,
    REFERENCE,
    STORE,
    STORE_LIGHT,
    new_figure,
    percent,
    shortened,
)

NAMED_TRACKS = 40
"""Tracks up to which each is named beside its bar."""
_MOST_REASONS = 20
_ANY, _CONTACT = "some frame below 3 cm", "80 % of the contact frames below 3 cm"
_PAPER_PERCENT = 100.0 * PAPER_KEPT / PAPER_ATTEMPTS
_PAPER_LINE: Any = {
    "color": REFERENCE,
    "ls": "--",
    "lw": 1.1,
    "path_effects": OVER_BARS,
    "label": f"paper: {_PAPER_PERCENT:.0f} %",
}
_ROOM = 1.06


def draw_keep_rates(overview: Overview) -> Figure:
    """Draw the share of attempts kept of each track, by both readings, highest first."""
    tracks = [track for track in overview.tracks if track.attempts and track.kept_any is not None]
    few = len(tracks) <= NAMED_TRACKS
    figure = new_figure(1.3 + 0.22 * len(tracks) if few else 3.6)
    axes = figure.subplots()
    if few:
        _named_bars(axes, tracks)
    else:
        _ranked_bars(axes, tracks)
    axes.set_title(f"tracks by falling keep rate: {len(tracks)}")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside upper right", ncols=3)
    return figure


def draw_rejections(rejections: Mapping[str, int], attempts: int) -> Figure:
    """Draw how many of the attempts were rejected for each reason."""
    named = list(rejections.items())
    shown = named[:_MOST_REASONS]
    if len(named) > len(shown):
        rest = named[_MOST_REASONS:]
        shown.append((f"{len(rest)} other reasons", sum(count for _reason, count in rest)))
    figure = new_figure(0.9 + 0.3 * len(shown))
    axes = figure.subplots()
    counts = [count for _reason, count in shown]
    axes.barh(range(len(shown)), counts, color=STORE, height=0.7)
    axes.set_yticks(range(len(shown)), [shortened(reason, 48) for reason, _count in shown])
    for row, count in enumerate(counts):
        axes.annotate(
            f"{count:,} ({percent(count / attempts)})",
            (count, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=REFERENCE,
        )
    axes.set_xlim(0, 1.18 * max(counts))
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("attempts (share of all attempts)")
    axes.set_title(f"{sum(counts):,} of {attempts:,} attempts rejected")
    return figure


def _named_bars(axes: Axes, tracks: Sequence[TrackRate]) -> None:
    rows = np.arange(len(tracks))
    kept_any, kept_contact, interval = _percent(tracks)
    axes.axvline(_PAPER_PERCENT, **_PAPER_LINE)
    axes.barh(rows, kept_any, height=0.78, color=STORE_LIGHT, label=_ANY)
    axes.barh(rows, kept_contact, height=0.44, color=STORE, label=_CONTACT)
    axes.errorbar(
        kept_contact, rows, xerr=interval, fmt="none", ecolor=REFERENCE, elinewidth=0.9, capsize=2
    )
    axes.set_yticks(rows, [shortened(track.name) for track in tracks])
    axes.tick_params(axis="y", length=0)
    reached = max(*kept_any, *(kept_contact + interval[1]), _PAPER_PERCENT)
    axes.set_xlim(0.0, min(100.0, _ROOM * reached))
    axes.set_ylim(len(tracks) - 0.4, -0.6)
    axes.set_xlabel("kept, % of attempts")


def _ranked_bars(axes: Axes, tracks: Sequence[TrackRate]) -> None:
    ranks = np.arange(1, len(tracks) + 1)
    kept_any, kept_contact, _interval = _percent(tracks)
    axes.axhline(_PAPER_PERCENT, **_PAPER_LINE)
    axes.bar(ranks, kept_any, width=1.0, color=STORE_LIGHT, label=_ANY)
    axes.bar(ranks, kept_contact, width=1.0, color=STORE, label=_CONTACT)
    axes.set_xlim(0.5, len(tracks) + 0.5)
    axes.set_ylim(0.0, min(100.0, _ROOM * max(*kept_any, _PAPER_PERCENT)))
    axes.set_xlabel("rank of the track")
    axes.set_ylabel("kept, % of attempts")
    axes.grid(axis="y", color=FAINT, alpha=0.25, lw=0.6)


def _percent(tracks: Sequence[TrackRate]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keep rates by both readings, and the (2, N) way to the second's interval [%]."""
    kept_any = np.array([100.0 * rate.value for each in tracks if (rate := each.kept_any)])
    contact = [rate for each in tracks if (rate := each.kept_contact)]
    value = np.array([rate.value for rate in contact])
    ways = np.stack(
        [value - [rate.low for rate in contact], [rate.high for rate in contact] - value]
    )
    return kept_any, 100.0 * value, 100.0 * np.maximum(ways, 0.0)
