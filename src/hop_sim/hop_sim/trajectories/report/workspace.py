"""Where palm, objects and tables are, seen from above and from the side, in `base_link`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.kinematics import Kinematics
from hop_sim.trajectories.report.bins import edges_of_width, round_up
from hop_sim.trajectories.report.frame_pass import FramePass
from hop_sim.trajectories.report.selection import Selection

_AXES = "xyz"
_VIEWS = ((0, 1), (0, 2))  # from above, from the side (the robot's right)
_CELLS, _TABLE_CELLS, _YAW_BINS = 60, 40, 36
_TAIL, _LEAST_M = 0.1, 0.3  # of a picture, so that what never moves is no blot


@dataclass(frozen=True)
class Density:
    """How often positions fall into the cells of a plane.

    Attributes:
        axes: of base_link, such as ("x", "y"), across and up.
        across, up: ends of the cells [m].
        counts: (cells across, cells up).
        outside: positions beyond the cells.
    """

    axes: tuple[str, str]
    across: np.ndarray
    up: np.ndarray
    counts: np.ndarray
    outside: int


@dataclass(frozen=True)
class Workspace:
    """Where things were.

    Attributes:
        sampled, frames: frames that were looked at, of so many.
        palm, object: views from above and from the side over the sampled frames; all four have the
            same scale across.
        tables: origins of the tables from above, a trajectory each; None: not known.
        table_yaw_edges, table_yaw_counts: turn of the tables [deg]; empty: not known.
        tables_unknown: trajectories whose table is not known.
    """

    sampled: int
    frames: int
    palm: tuple[Density, ...]
    object: tuple[Density, ...]
    tables: Density | None
    table_yaw_edges: np.ndarray
    table_yaw_counts: np.ndarray
    tables_unknown: int


def workspace_of(selection: Selection, frames: FramePass) -> Workspace:
    """Return where palm, object and table were; the palm follows from the sampled postures.

    Raises:
        TrajectoryError: a column is damaged.
    """
    palm_m = Kinematics().site_poses(frames.sample_q, "palm")[:, :3, 3]
    both = np.concatenate([palm_m, frames.sample_object])
    low, high = np.percentile(both, [_TAIL, 100.0 - _TAIL], axis=0)
    cell_m = round_up(max(float((high - low).max()), _LEAST_M) / _CELLS)
    edges = [edges_of_width(low[i], high[i], cell_m) for i in range(3)]
    tables = selection.episodes("scene/table_xyz_yaw").astype(np.float64)
    known = tables[np.isfinite(tables).all(axis=1)]
    yaw_deg = np.degrees(wrapped(known[:, 3]))
    yaw_edges = _yaw_edges(yaw_deg) if len(known) else np.zeros(0)
    return Workspace(
        sampled=len(palm_m),
        frames=frames.frames,
        palm=tuple(_density(palm_m, view, edges) for view in _VIEWS),
        object=tuple(_density(frames.sample_object, view, edges) for view in _VIEWS),
        tables=_table_density(known) if len(known) else None,
        table_yaw_edges=yaw_edges,
        table_yaw_counts=np.histogram(yaw_deg, yaw_edges)[0] if len(known) else np.zeros(0, int),
        tables_unknown=len(tables) - len(known),
    )


def wrapped(angle_rad: np.ndarray) -> np.ndarray:
    """Return angles turned by whole turns into [-π, π)."""
    return np.asarray((angle_rad + np.pi) % (2.0 * np.pi) - np.pi)


def _yaw_edges(yaw_deg: np.ndarray) -> np.ndarray:
    low, high = float(yaw_deg.min()), float(yaw_deg.max())
    return edges_of_width(low, high, round_up(max(high - low, _YAW_BINS) / _YAW_BINS))


def _table_density(tables: np.ndarray) -> Density:
    low, high = tables[:, :2].min(axis=0), tables[:, :2].max(axis=0)
    cell_m = round_up(max(float((high - low).max()), _LEAST_M) / _TABLE_CELLS)
    return _density(tables, (0, 1), [edges_of_width(low[i], high[i], cell_m) for i in range(2)])


def _density(points: np.ndarray, view: tuple[int, int], edges: list[np.ndarray]) -> Density:
    a, b = view
    counts = np.histogram2d(points[:, a], points[:, b], [edges[a], edges[b]])[0].astype(np.int64)
    return Density(
        axes=(_AXES[a], _AXES[b]),
        across=edges[a],
        up=edges[b],
        counts=counts,
        outside=len(points) - int(counts.sum()),
    )
