"""How widely the trajectories start: postures, tables, objects."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from hop_core.embodiment import JOINT_NAMES
from hop_sim.trajectories.report.frame_pass import FramePass
from hop_sim.trajectories.report.selection import Selection
from hop_sim.trajectories.report.workspace import wrapped

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


@dataclass(frozen=True)
class Spread:
    """How one figure of the start varies between trajectories.

    Attributes:
        name, unit: of the figure; positions are in base_link.
        known: trajectories of which it is known.
        mean, sd: of them; of a table's yaw on the circle. NaN where nothing is known.
        percentiles: (7,) at PERCENTILES.
    """

    name: str
    unit: str
    known: int
    mean: float
    sd: float
    percentiles: np.ndarray


def table_spreads(selection: Selection) -> tuple[Spread, ...]:
    """Return the spreads of the table frame's x, y, z [m] and yaw [deg].

    Raises:
        TrajectoryError: a column is damaged.
    """
    tables = selection.episodes("scene/table_xyz_yaw").astype(np.float64)
    lengths = tuple(_spread(f"table {'xyz'[i]}", "m", tables[:, i]) for i in range(3))
    return (*lengths, _yaw_spread(tables[:, 3]))


def object_spreads(frames: FramePass) -> tuple[Spread, ...]:
    """Return the spreads of the object's x, y, z [m] in the first frames."""
    return tuple(_spread(f"object {'xyz'[i]}", "m", frames.first_object[:, i]) for i in range(3))


def start_spreads(frames: FramePass) -> tuple[Spread, ...]:
    """Return the spreads of the 23 joints in the first frames [rad]."""
    return tuple(_spread(name, "rad", frames.first_q[:, i]) for i, name in enumerate(JOINT_NAMES))


def _spread(name: str, unit: str, values: np.ndarray) -> Spread:
    known = values[np.isfinite(values)]
    if not len(known):
        return Spread(name, unit, 0, np.nan, np.nan, np.full(len(PERCENTILES), np.nan))
    percentiles = np.percentile(known, PERCENTILES)
    return Spread(name, unit, len(known), float(known.mean()), float(known.std()), percentiles)


def _yaw_spread(yaw_rad: np.ndarray) -> Spread:
    """Mean and deviation on the circle; percentiles within half a turn of the mean.

    Source: K. V. Mardia and P. E. Jupp, Directional Statistics, 2000, section 2.3:
    sd = sqrt(-2 ln R) with R the length of the mean direction.
    """
    known = yaw_rad[np.isfinite(yaw_rad)]
    if not len(known):
        return _spread("table yaw", "deg", known)
    direction = complex(np.exp(1j * known).mean())
    mean, length = float(np.angle(direction)), min(1.0, abs(direction))
    plain = _spread("table yaw", "deg", np.degrees(mean + wrapped(known - mean)))
    sd = float(np.degrees(np.sqrt(-2.0 * np.log(length)))) if length > 0.0 else np.inf
    return replace(plain, mean=float(np.degrees(mean)), sd=sd)
