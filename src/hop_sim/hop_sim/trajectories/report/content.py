"""All that a report says, as numbers: what is drawn, printed and written as JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from hop_sim.statistics import Rate
from hop_sim.trajectories.report.demonstrations import Demonstrations
from hop_sim.trajectories.report.frame_pass import pass_over
from hop_sim.trajectories.report.histogram import Histogram
from hop_sim.trajectories.report.joints import JointCoverage, joint_coverage
from hop_sim.trajectories.report.overview import Overview, overview_of
from hop_sim.trajectories.report.quality import Distribution, distributions_of
from hop_sim.trajectories.report.selection import Scope, Selection
from hop_sim.trajectories.report.spread import (
    Spread,
    object_spreads,
    start_spreads,
    table_spreads,
)
from hop_sim.trajectories.report.workspace import Workspace, workspace_of
from hop_sim.trajectories.store import TrajectoryStore


@dataclass(frozen=True)
class Details:
    """What is known of the trajectories of a selection that has some.

    Attributes:
        frames: of all of them.
        contact_frames: of these, in which the human hand touches the object.
        distributions: of their figures.
        joints, workspace: where the robot goes.
        tables, objects, starts: how widely they begin.
    """

    frames: int
    contact_frames: int
    distributions: tuple[Distribution, ...]
    joints: JointCoverage
    workspace: Workspace
    tables: tuple[Spread, ...]
    objects: tuple[Spread, ...]
    starts: tuple[Spread, ...]


@dataclass(frozen=True)
class Content:
    """A report.

    Attributes:
        overview: the store as a whole.
        kept: which trajectories the rest is about.
        selected: how many they are.
        details: of these; None if there are none.
        demonstrations: what they were held against, if anything.
    """

    overview: Overview
    kept: Scope
    selected: int
    details: Details | None
    demonstrations: Demonstrations | None


def content_of(
    store: TrajectoryStore, kept: Scope, demonstrations: Demonstrations | None
) -> Content:
    """Return the report's numbers; each column of `store` is read once, in blocks.

    Raises:
        TrajectoryError: a column is damaged.
    """
    selection = Selection(store, kept)
    details = _details(selection, demonstrations) if len(selection) else None
    return Content(overview_of(store), kept, len(selection), details, demonstrations)


def _details(selection: Selection, demonstrations: Demonstrations | None) -> Details:
    frames = pass_over(selection)
    return Details(
        frames=frames.frames,
        contact_frames=frames.contact_frames,
        distributions=distributions_of(selection, frames),
        joints=joint_coverage(frames, demonstrations),
        workspace=workspace_of(selection, frames),
        tables=table_spreads(selection),
        objects=object_spreads(frames),
        starts=start_spreads(frames),
    )


def as_json(value: Any) -> Any:
    """Return `value` as JSON holds it: dataclasses as objects, arrays as lists, NaN as null.

    Numbers keep six digits. Histograms in working precision are left out; what is drawn of them is
    in the coverage.
    """
    if isinstance(value, Rate):
        return _rate(value)
    if is_dataclass(value) and not isinstance(value, type):
        named = ((each.name, getattr(value, each.name)) for each in fields(value))
        return {name: as_json(own) for name, own in named if not isinstance(own, Histogram)}
    if isinstance(value, dict):
        return {key: as_json(own) for key, own in value.items()}
    if isinstance(value, np.ndarray):
        return as_json(value.tolist())
    if isinstance(value, list | tuple):
        return [as_json(own) for own in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def _rate(rate: Rate) -> dict[str, Any]:
    known = bool(rate.trials)
    return {
        "kept": rate.successes,
        "attempts": rate.trials,
        "share": as_json(rate.value),
        "wilson_low": as_json(rate.low) if known else None,
        "wilson_high": as_json(rate.high) if known else None,
    }
