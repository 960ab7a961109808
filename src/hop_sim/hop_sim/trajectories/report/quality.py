"""How good the trajectories of a selection are: the distributions of their figures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.trajectories.report.bins import even_edges
from hop_sim.trajectories.report.frame_pass import FramePass
from hop_sim.trajectories.report.histogram import Histogram
from hop_sim.trajectories.report.selection import Selection

PERCENTILES = (5, 50, 95)
_BINS, _TAIL = 40, 0.5


@dataclass(frozen=True)
class Mark:
    """A value that a figure is held against, and what it is."""

    value: float
    text: str


@dataclass(frozen=True)
class Distribution:
    """How one figure is distributed.

    Attributes:
        name: of the figure; a metric's is that of its column.
        title, unit: for people.
        of: what is counted, trajectories or contact frames.
        known, unknown: values, and how many of what is counted have none.
        percentiles: (3,) at PERCENTILES; NaN where nothing is known.
        edges, counts: (B + 1,) and (B,) of the histogram; B is 0 where nothing is known.
        beyond: values outside the bins.
        mark: what the figure is held against, if anything.
    """

    name: str
    title: str
    unit: str
    of: str
    known: int
    unknown: int
    percentiles: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    beyond: int
    mark: Mark | None


@dataclass(frozen=True)
class _Metric:
    """A column of metrics/ as it is shown: its values times `scale` are in `unit`."""

    name: str
    title: str
    unit: str
    scale: float
    mark: Mark | None = None


# What retargeting is held to: the paper's filter, and our own bounds on medians.
_FILTER = Mark(30.0, "filter, 30 mm")
_METRICS = (
    _Metric("min_error_m", "smallest keypoint error", "mm", 1e3, _FILTER),
    _Metric(
        "mean_palm_angle_rad",
        "angle between the palm normals",
        "deg",
        float(np.degrees(1.0)),
        Mark(30.0, "median at most 30°"),
    ),
    _Metric(
        "median_tip_distance_error_m",
        "error of tip-object distance",
        "mm",
        1e3,
        Mark(15.0, "median at most 15 mm"),
    ),
    _Metric("max_penetration_m", "deepest penetration", "mm", 1e3),
    _Metric("limited_share", "limited steps", "%", 1e2, Mark(1.0, "at most 1 % if kept")),
    _Metric("hand_saturation_share", "hand torques at their cap", "%", 1e2),
    _Metric("rms_jerk_rad_s3", "RMS jerk of executed targets", "rad/s³", 1.0),
    _Metric("mean_lead_rad", "lead of the solved target, |a − φ|", "rad", 1.0),
)


def distributions_of(selection: Selection, frames: FramePass) -> tuple[Distribution, ...]:
    """Return the distributions of keypoint error over contact frames and of the metrics.

    Raises:
        TrajectoryError: a column is damaged.
    """
    metrics = (
        _of_values(metric, selection.episodes(f"metrics/{metric.name}").astype(np.float64))
        for metric in _METRICS
    )
    return (_of_errors(frames.contact_error), *metrics)


def _of_values(metric: _Metric, values: np.ndarray) -> Distribution:
    known = metric.scale * values[np.isfinite(values)]
    edges, percentiles = np.zeros(0), np.full(len(PERCENTILES), np.nan)
    if len(known):
        low, high = np.percentile(known, [_TAIL, 100.0 - _TAIL])
        # Up to the mark, which the panel shows too: beside it, bins of values all 0 were no bar.
        most = high if metric.mark is None else max(high, metric.mark.value)
        edges = even_edges(min(0.0, low), most, _BINS)
        percentiles = np.percentile(known, PERCENTILES)
    counts = np.histogram(known, edges)[0] if len(edges) else np.zeros(0, np.int64)
    return Distribution(
        name=metric.name,
        title=metric.title,
        unit=metric.unit,
        of="trajectories",
        known=len(known),
        unknown=len(values) - len(known),
        percentiles=percentiles,
        edges=edges,
        counts=counts,
        beyond=len(known) - int(counts.sum()),
        mark=metric.mark,
    )


def _of_errors(error: Histogram) -> Distribution:
    """Distribution in mm of a histogram in m; its bins, of 0.1 mm, are put together."""
    known = int(error.known[0])
    edges, counts = np.zeros(0), np.zeros(0, np.int64)
    if known:
        edges = even_edges(0.0, 1e3 * float(error.percentile(100.0 - _TAIL)[0]), _BINS)
        reached = np.concatenate([[0], np.cumsum(error.counts[0])])
        counts = np.diff(np.interp(edges, 1e3 * error.edges[0], reached)).round().astype(np.int64)
    return Distribution(
        name="contact_error",
        title="keypoint error over contact frames",
        unit="mm",
        of="contact frames",
        known=known,
        unknown=int(error.unknown[0]),
        percentiles=np.array([1e3 * error.percentile(p)[0] for p in PERCENTILES]),
        edges=edges,
        counts=counts,
        beyond=known - int(counts.sum()),
        mark=_FILTER,
    )
