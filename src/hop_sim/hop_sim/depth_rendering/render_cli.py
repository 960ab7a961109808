"""`hop trajectories render-depth`: the depth of a store's trajectories, beside its columns."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from hop_core.errors import ConfigError
from hop_sim.depth_rendering.materialise import render_missing
from hop_sim.episode_progress import watched
from hop_sim.processes import usable_cores
from hop_sim.realism import Realism
from hop_sim.trajectories.depth.recipe import DepthRecipe, load_recipe
from hop_sim.trajectories.depth.writer import DepthWriter


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """Render what a depth policy would have seen along the trajectories of a store, beside them.

    A run that was stopped goes on where it was, and so does one on a store that has grown. The
    store is not written by others meanwhile.
    """

    store: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="STORE")]
    """Folder of the store"""
    workers: int | None = None
    """Processes; default: one per core. Images do not depend on it."""
    noise: float = 1.0
    """Scale of the stereo noise; 0: none."""
    jitter: float = 1.0
    """Scale of the jitter of the camera's pose, drawn once a trajectory; 0: none."""
    seed: int = 0
    """What jitter and noise are drawn from, with a trajectory's track and attempt."""
    json: bool = False
    """Print one JSON line instead of a sentence."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""


def render_main(argv: list[str]) -> int:
    """Render the depth of a store's trajectories beside its columns.

    Raises:
        HopError: options that do not fit, a store or depth that cannot be gone on with, or no
            rendering on this machine.
    """
    options = tyro.cli(RenderOptions, args=argv, prog="hop trajectories render-depth")
    if options.seed < 0:
        raise ConfigError(f"--seed must be a number from 0 on, got {options.seed}")
    realism = Realism(jitter=options.jitter, noise=options.noise)
    recipe = load_recipe(realism, options.seed, config_dir=options.config_dir)
    done = render_store(options.store, recipe, options.workers)
    print(json.dumps(done) if options.json else rendering_text(done))
    return 0


def render_store(path: Path, recipe: DepthRecipe, workers: int | None = None) -> dict[str, Any]:
    """Render what the store at `path` lacks, with progress on stderr; return what was done.

    Raises:
        ConfigError: there is no such number of workers.
        HopError: see `render_missing`, `DepthWriter`.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"--workers must be at least 1, got {workers}")
    begun = time.monotonic()
    with DepthWriter(path, recipe) as writer:
        store, there = writer.store, writer.trajectories
        missing = render_missing(writer, recipe, workers or usable_cores())
        new = watched(missing, "trajectories", len(store) - there)
    frames = sum(rows.stop - rows.start for rows in map(store.frame_rows, new))
    return {
        "store": str(path),
        "content": store.content,
        "trajectories": len(store),
        "rendered": len(new),
        "frames": frames,
        "frames_per_s": round(frames / (time.monotonic() - begun), 1),
    }


def rendering_text(done: dict[str, Any]) -> str:
    """Return what `render_store` did, in a sentence."""
    there = done["trajectories"] - done["rendered"]
    return (
        f"depth of {done['rendered']} trajectories with {done['frames']} frames rendered, "
        f"{done['frames_per_s']:g} frames/s; {there} were there; it is beside the columns of "
        f"{done['store']}"
    )
