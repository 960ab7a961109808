"""The rows that one track adds to the columns of frames, trajectories and objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hop_sim.trajectories.columns import stacked
from hop_sim.trajectories.commit import Commit
from hop_sim.trajectories.layout import (
    CLOUD,
    FRAME_COLUMNS,
    METRIC_COLUMNS,
    PLACE_COLUMNS,
    SCENE_COLUMNS,
    SURFACE,
    Place,
)
from hop_sim.trajectories.track_result import ObjectModel
from hop_sim.trajectories.trajectory import Trajectory


def trajectory_rows(
    trajectories: Sequence[Trajectory], commit: Commit, object_numbers: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return the rows of the trajectories of one track, by path of column.

    Args:
        trajectories: of the track.
        commit: what is there before them.
        object_numbers: row of each object, by name.
    """
    lengths = [len(trajectory.frames) for trajectory in trajectories]
    starts = commit.frames + np.cumsum([0, *lengths])
    places = [
        Place(
            start=int(start),
            length=length,
            track=commit.tracks,
            object=object_numbers[trajectory.object_name],
            attempt=trajectory.attempt,
            seed=trajectory.seed,
        )
        for trajectory, start, length in zip(trajectories, starts, lengths, strict=False)
    ]
    frames = {
        each.path: each.array(
            np.concatenate(
                [
                    np.zeros((0, *each.shape), each.dtype),
                    *(getattr(trajectory.frames, each.name) for trajectory in trajectories),
                ]
            )
        )
        for each in FRAME_COLUMNS
    }
    return {
        **frames,
        **stacked(PLACE_COLUMNS, places),
        **stacked(METRIC_COLUMNS, [trajectory.metrics for trajectory in trajectories]),
        **stacked(SCENE_COLUMNS, [trajectory.scene for trajectory in trajectories]),
    }


def object_rows(models: Sequence[ObjectModel]) -> dict[str, np.ndarray]:
    """Return the rows of `models` in the columns of objects/."""
    if not models:
        return {each.path: np.zeros((0, *each.shape), each.dtype) for each in (CLOUD, SURFACE)}
    return {
        CLOUD.path: CLOUD.array([model.cloud for model in models]),
        SURFACE.path: SURFACE.array(np.concatenate([model.surface for model in models])),
    }
