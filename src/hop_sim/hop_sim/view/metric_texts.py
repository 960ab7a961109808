"""The metrics of a trajectory as people read them."""

from __future__ import annotations

import math

from hop_sim.trajectories.columns import Column
from hop_sim.trajectories.layout import METRIC_COLUMNS
from hop_sim.trajectories.trajectory import TrajectoryMetrics


def metric_texts(metrics: TrajectoryMetrics) -> dict[str, str]:
    """Return each metric by its name: lengths in mm, angles in degrees, shares in percent."""
    return {each.name: _text(getattr(metrics, each.name), each) for each in METRIC_COLUMNS}


def _text(value: float, column: Column) -> str:
    if column.dtype.kind == "b":
        return "yes" if value else "no"
    if math.isnan(value):
        return "unknown"
    match column.unit:
        case "m":
            return f"{1000.0 * value:.1f} mm"
        case "rad":
            return f"{math.degrees(value):.1f}°"
        case "1":
            return f"{100.0 * value:.1f} %"
        case unit:
            return f"{value:.4g} {unit}"
