"""Figures of where palm, objects and tables are, and of how the trajectories start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_sim.trajectories.report.spread import Spread
from hop_sim.trajectories.report.style import (
    DENSITY,
    FAINT,
    REFERENCE,
    STORE,
    STORE_LIGHT,
    draw_intervals,
    new_figure,
    say_unknown,
)
from hop_sim.trajectories.report.workspace import Density, Workspace

_VIEWS = ("from above", "from the side")


def draw_workspace(workspace: Workspace) -> Figure:
    """Draw how often palm and object are where, from above and from the side."""
    figure = new_figure(7.4, "compressed")
    panels = figure.subplots(2, 2)
    views = (*workspace.palm, *workspace.object)
    most = max(int(each.counts.max()) for each in views)
    span_m = max(float(each.up[-1] - each.up[0]) for each in views)
    for row, (what, views) in enumerate((("palm", workspace.palm), ("object", workspace.object))):
        for axes, view, density in zip(panels[row], _VIEWS, views, strict=True):
            mesh = _draw_density(axes, density, max(most, 2))
            axes.set_title(f"{what}, {view}")
            middle_m = float(density.up[0] + density.up[-1]) / 2.0
            axes.set_ylim(middle_m - span_m / 2.0, middle_m + span_m / 2.0)
            axes.plot(
                0.0, 0.0, marker="+", ms=9, mew=1.4, color=REFERENCE, scalex=False, scaley=False
            )
    figure.colorbar(mesh, ax=panels, shrink=0.6, format="%.0f", label="sampled frames in a cell")
    return figure


def draw_starts(workspace: Workspace, starts: Sequence[Spread]) -> Figure:
    """Draw where the tables stand and how they are turned, and the first posture about home."""
    figure = new_figure(6.2)
    left, right = figure.subfigures(1, 2, squeeze=False)[0]
    place, yaw = left.subplots(2, 1, height_ratios=(1.5, 1.0))
    place.set_title("table, from above (a trajectory each)")
    yaw.set_title("turn of the table")
    if workspace.tables is None:
        say_unknown(place)
        say_unknown(yaw)
    else:
        mesh = _draw_density(place, workspace.tables, max(int(workspace.tables.counts.max()), 2))
        place.set_aspect("equal", adjustable="datalim")
        bar = left.colorbar(mesh, ax=place, pad=0.02, format="%.0f", label="trajectories in a cell")
        bar.minorformatter = NullFormatter()  # else "2 x 10^0", where a cell holds few
        counts, edges = workspace.table_yaw_counts, workspace.table_yaw_edges
        yaw.stairs(100.0 * counts / counts.sum(), edges, fill=True, color=STORE_LIGHT)
        yaw.stairs(100.0 * counts / counts.sum(), edges, color=STORE, lw=0.8)
        yaw.set_ylim(bottom=0.0)
        yaw.set_xlabel("yaw, deg")
        yaw.set_ylabel("% of trajectories")
    _draw_starts(right.subplots(), starts)
    return figure


def _draw_density(axes: Axes, density: Density, most: int) -> Any:
    counts = np.ma.masked_equal(density.counts.T, 0)
    mesh = axes.pcolormesh(
        density.across, density.up, counts, cmap=DENSITY, norm=LogNorm(0.6, most), rasterized=True
    )
    axes.set_aspect("equal")
    axes.set_xlabel(f"{density.axes[0]}, m")
    axes.set_ylabel(f"{density.axes[1]}, m")
    axes.grid(color=FAINT, alpha=0.25, lw=0.6)
    return mesh


def _draw_starts(axes: Axes, starts: Sequence[Spread]) -> None:
    rows = np.arange(len(starts))
    home = np.degrees(load_embodiment().home)
    degrees = np.degrees([each.percentiles for each in starts]) - home[:, None]
    draw_intervals(axes, degrees[:, [0, 2, 3, 4, -1]].T, rows, STORE)
    axes.axvline(0.0, color=REFERENCE, lw=0.8, ls="--")
    axes.set_yticks(rows, [name.removeprefix("allegro_").replace("_", " ") for name in JOINT_NAMES])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("joint angle less that of home, deg")
    axes.set_title("first posture; thin: 1 to 99 %, thick: 25 to 75 %")
