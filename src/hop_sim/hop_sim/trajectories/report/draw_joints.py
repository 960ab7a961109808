"""Figures of the joints: their ranges on the policy's scale, and their histograms."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from hop_core.embodiment import ARM, FINGERS, load_embodiment
from hop_sim.trajectories.report.joints import JointCoverage
from hop_sim.trajectories.report.style import (
    DEMONSTRATIONS,
    FAINT,
    REFERENCE,
    STORE,
    STORE_LIGHT,
    draw_intervals,
    new_figure,
)

_COLUMNS = 4
_ARM_JOINTS, _FINGER_JOINTS = ARM.stop, 4


def draw_joint_ranges(joints: JointCoverage) -> Figure:
    """Draw the percentiles of each joint on the scale of the policy, from -1 to +1."""
    figure = new_figure(6.6)
    axes = figure.subplots()
    rows = np.arange(len(joints.names), dtype=np.float64)
    scale = load_embodiment().scale
    offset = 0.18 if joints.demonstrations is not None else 0.0
    draw_intervals(axes, scale(joints.store.percentiles), rows - offset, STORE)
    if joints.demonstrations is not None:
        shown = scale(joints.demonstrations.percentiles)
        draw_intervals(axes, shown, rows + offset, DEMONSTRATIONS)
    axes.plot(scale(joints.home), rows, ls="none", marker="D", ms=3.5, mfc="white", mec=REFERENCE)
    for end in (-1.0, 1.0):
        axes.axvline(end, color=FAINT, lw=0.8, ls=":")
    for first in range(_ARM_JOINTS, len(rows), _FINGER_JOINTS):
        axes.axhline(first - 0.5, color=FAINT, lw=0.6, alpha=0.5)
    axes.set_yticks(rows, [_short(name) for name in joints.names])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(-1.12, 1.12)
    axes.set_xlabel("joint angle on the policy's scale (-1 and +1: its ends)")
    axes.set_title("thin: 1 to 99 %, thick: 25 to 75 %, tick: median")
    figure.legend(handles=_legend(joints, lines=True), loc="outside upper right", ncols=3)
    return figure


def draw_joint_coverage(joints: JointCoverage) -> Figure:
    """Draw the histogram of each joint over its range, that of demonstrations over it."""
    arm_rows = -(-_ARM_JOINTS // _COLUMNS)
    figure = new_figure(1.35 * (arm_rows + len(FINGERS)))
    panels = figure.subplots(arm_rows + len(FINGERS), _COLUMNS)
    for row in panels:
        for axes in row:
            axes.set_axis_off()
    for j in range(len(joints.names)):
        row, column = divmod(j if j < _ARM_JOINTS else j + 1, _COLUMNS)
        _histogram(panels[row, column], joints, j)
    panels[arm_rows - 1, -1].legend(handles=_legend(joints, lines=False), loc="center left")
    figure.supxlabel("joint angle, rad", fontsize=9.0, color=REFERENCE)
    return figure


def _histogram(axes: Axes, joints: JointCoverage, j: int) -> None:
    axes.set_axis_on()
    axes.stairs(_to_peak(joints.store.counts[j]), joints.edges[j], fill=True, color=STORE_LIGHT)
    axes.stairs(_to_peak(joints.store.counts[j]), joints.edges[j], color=STORE, lw=0.8)
    if joints.demonstrations is not None:
        counts = _to_peak(joints.demonstrations.counts[j])
        axes.stairs(counts, joints.edges[j], color=DEMONSTRATIONS, lw=1.2)
    for end in joints.scale[j]:
        axes.axvline(end, color=FAINT, lw=0.8, ls=":")
    axes.plot(joints.home[j], 0.0, marker="D", ms=4, mfc="white", mec=REFERENCE, clip_on=False)
    axes.set_xlim(joints.edges[j, 0], joints.edges[j, -1])
    axes.set_ylim(0.0, 1.05)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_title(_short(joints.names[j]), fontsize=9.0, pad=2.0)


def _legend(joints: JointCoverage, lines: bool) -> list[Patch | Line2D]:
    store = f"store ({joints.store.postures:,} frames)"
    handles: list[Patch | Line2D] = [
        Line2D([], [], color=STORE, lw=3, label=store)
        if lines
        else Patch(facecolor=STORE_LIGHT, edgecolor=STORE, label=store)
    ]
    if joints.demonstrations is not None:
        text = f"demonstrations ({joints.demonstrations.postures:,} ticks)"
        handles.append(Line2D([], [], color=DEMONSTRATIONS, lw=3 if lines else 1.2, label=text))
    home = Line2D([], [], ls="none", marker="D", ms=4, mfc="white", mec=REFERENCE, label="home")
    return [*handles, home]


def _short(name: str) -> str:
    return name.removeprefix("allegro_").replace("_", " ")


def _to_peak(counts: np.ndarray) -> np.ndarray:
    """Counts with their largest at 1; nothing stays nothing."""
    return np.asarray(counts / max(int(counts.max()), 1))
