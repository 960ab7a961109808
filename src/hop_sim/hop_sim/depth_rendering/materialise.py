"""Renders the depth of a whole store beside its columns, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from hop_sim.depth_rendering.trajectory_camera import TrajectoryCamera
from hop_sim.processes import over_processes
from hop_sim.trajectories.depth.layout import grouped
from hop_sim.trajectories.depth.recipe import DepthRecipe
from hop_sim.trajectories.depth.writer import DepthWriter
from hop_sim.trajectories.store import TrajectoryStore

FRAMES_AT_ONCE = 512
"""Frames of a group of trajectories that is rendered by one process and committed at once."""

Images = list[np.ndarray]


def render_missing(
    writer: DepthWriter,
    recipe: DepthRecipe,
    workers: int = 1,
    frames_at_once: int = FRAMES_AT_ONCE,
) -> Iterator[int]:
    """Render all trajectories that have no depth yet; yield the number of each that is stored.

    Images do not depend on `workers` or `frames_at_once`. Whatever stops it, what was yielded is
    stored.

    Args:
        writer: of the store.
        recipe: the writer's.
        workers: processes, each with a renderer of its own; 1 stays in this one.
        frames_at_once: see `FRAMES_AT_ONCE`.

    Raises:
        TrajectoryError: an object has no volume, or the disk refuses.
        HopError: a process was killed.
        TwinError: no off-screen OpenGL on this machine.
    """
    store = writer.store
    lengths = store.read("episodes/length")
    groups = list(grouped(lengths, writer.trajectories, len(store), frames_at_once))
    with closing(_rendered(store, recipe, groups, workers)) as rendered:
        for group, images in zip(groups, rendered, strict=True):
            writer.append(images)
            yield from group


def _rendered(
    store: TrajectoryStore, recipe: DepthRecipe, groups: Sequence[range], workers: int
) -> Generator[Images, None, None]:
    """Yield the images of each group."""
    if workers == 1:
        with TrajectoryCamera(store, recipe) as camera:
            yield from (_codes(camera, group) for group in groups)
        return
    make = partial(_renderer, Path(store.address), recipe)
    yield from over_processes(make, groups, min(workers, len(groups)))


def _renderer(path: Path, recipe: DepthRecipe) -> Callable[[range], Images]:
    return partial(_codes, TrajectoryCamera(TrajectoryStore.open(path), recipe))


def _codes(camera: TrajectoryCamera, group: range) -> Images:
    return [camera.codes(number) for number in group]
