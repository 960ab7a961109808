"""All that came of the attempts at one track: what is put into the store at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from hop_core.config import Config
from hop_core.errors import TrackRefusedError
from hop_sim.trajectories.columns import stacked
from hop_sim.trajectories.layout import (
    CLOUD,
    FRAME_COLUMNS,
    METRIC_COLUMNS,
    SCENE_COLUMNS,
    SURFACE,
)
from hop_sim.trajectories.trajectory import Trajectory

_MAY_BE_NAN = ("keypoint_error_m",)
_UNIT_LENGTH = 1e-3


@dataclass(frozen=True)
class ObjectModel:
    """An object's surface in its own frame, stored once for all its trajectories.

    Attributes:
        cloud: (100, 3) float32 points [m] in a fixed order: what a point-cloud policy sees.
        surface: (P, 3) float32 points [m], denser; the cloud itself where no more is known.
    """

    cloud: np.ndarray
    surface: np.ndarray


class TrackInfo(Config):
    """The hand-object track that trajectories follow.

    Attributes:
        name: unique in a store.
        source: data set or generator.
        synthetic: whether the hand was made and not seen.
        group: tracks of one group (a subject, say) never fall on both sides of a split.
        provenance: what else is worth keeping.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}$")
    source: str = Field(min_length=1)
    synthetic: bool
    group: str = Field(min_length=1)
    provenance: dict[str, str | int | float | bool] = Field(default_factory=dict)


@dataclass(frozen=True)
class TrackResult:
    """What came of the attempts at one track.

    Attributes:
        track: which one.
        attempts: how many were made.
        rejections: how many were not kept, by reason; with the kept ones they make `attempts`.
        trajectories: the kept ones, by rising `attempt`; there may be none.
        objects: the objects that they show, by name.
    """

    track: TrackInfo
    attempts: int
    rejections: Mapping[str, int]
    trajectories: Sequence[Trajectory]
    objects: Mapping[str, ObjectModel]


def require_sound(result: TrackResult) -> None:
    """Pass if `result` may go into a store.

    Raises:
        TrackRefusedError: naming the track and the field that is wrong.
    """
    problem = _problem(result)
    if problem:
        raise TrackRefusedError(f"track '{result.track.name}': {problem}; nothing of it is stored")


def _problem(result: TrackResult) -> str:
    kept, rejected = len(result.trajectories), sum(result.rejections.values())
    if min(result.rejections.values(), default=0) < 0 or kept + rejected != result.attempts:
        return (
            f"attempts: {kept} kept and {rejected} rejected do not make {result.attempts}; "
            "count each attempt once"
        )
    numbers = [trajectory.attempt for trajectory in result.trajectories]
    if numbers != sorted({n for n in numbers if 0 <= n < result.attempts}):
        return f"attempt: must rise within 0..{result.attempts - 1}, got {numbers[:8]}"
    for name, model in result.objects.items():
        for column, points in ((CLOUD, model.cloud[None]), (SURFACE, model.surface)):
            try:
                values = column.array(points)
            except ValueError as error:
                return f"object '{name}': {error}"
            if not np.isfinite(values).all():
                return f"object '{name}': {column.name}: holds NaN or infinity"
    for trajectory in result.trajectories:
        problem = _frames_problem(trajectory) or _record_problem(trajectory)
        if trajectory.object_name not in result.objects:
            problem = f"object_name: '{trajectory.object_name}' is not among the objects"
        if problem:
            return f"attempt {trajectory.attempt}: {problem}"
    return ""


def _frames_problem(trajectory: Trajectory) -> str:
    length = len(trajectory.frames)
    if length < 2:
        return f"q: needs at least 2 frames, got {length}"
    for column in FRAME_COLUMNS:
        try:
            rows = column.array(getattr(trajectory.frames, column.name))
        except ValueError as error:
            return str(error)
        if len(rows) != length:
            return f"{column.name}: has {len(rows)} rows, q has {length}"
        if column.name not in _MAY_BE_NAN and not np.isfinite(rows).all():
            return f"{column.name}: holds NaN or infinity"
    norms = np.linalg.norm(trajectory.frames.object_pose[:, 3:], axis=1)
    if np.abs(norms - 1.0).max() > _UNIT_LENGTH:
        return "object_pose: its quaternions (w, x, y, z) must have length 1"
    return ""


def _record_problem(trajectory: Trajectory) -> str:
    """What is wrong with the metrics or the scene; they may be unknown."""
    try:
        stacked(METRIC_COLUMNS, [trajectory.metrics])
        stacked(SCENE_COLUMNS, [trajectory.scene])
    except ValueError as error:
        return str(error)
    return ""
