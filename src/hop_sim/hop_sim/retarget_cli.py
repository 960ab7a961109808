"""`hop retarget`: hand-object tracks to robot trajectories, in simulation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from hop_core.errors import ConfigError, TrackError
from hop_core.retargeting.solvers import SolverName
from hop_sim.depth_rendering.render_cli import render_store, rendering_text
from hop_sim.episode_progress import watched
from hop_sim.processes import usable_cores
from hop_sim.retarget.config import PruneConfig
from hop_sim.retarget.ray_runner import RayRunner
from hop_sim.retarget.run import TrackOutcome, retarget_tracks
from hop_sim.retarget.runner import LocalRunner
from hop_sim.retarget.settings import RetargetSettings, load_settings
from hop_sim.statistics import rate_of
from hop_sim.tracks.files import about_path, list_tracks
from hop_sim.trajectories.depth.recipe import load_recipe
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.writer import TrajectoryWriter

_MOST_SEED = 2**63 - 1  # what the store holds


@dataclass(frozen=True)
class Arguments:
    """Retarget hand-object tracks to the robot, many attempts each, and store what is kept.

    A run that was stopped goes on where it was: tracks that the store has are not done again.
    """

    tracks: tyro.conf.Positional[tuple[Path, ...]]
    """Tracks, or folders of them."""
    store: Annotated[Path, tyro.conf.arg(name="store", aliases=["-o"])]
    """Store to make or go on with."""
    attempts: int | None = None
    """Attempts at each track; default: as configured (700)."""
    seed: int = 0
    """What starts, placements, obstacles and physics are drawn from."""
    solver: SolverName = "lm"
    """Solver of Eq. 1: the compiled one, or the paper's."""
    threads: int | None = None
    """Threads of the simulation; default: one per core. Results do not depend on it."""
    ray: bool = False
    """Fan attempts out over the Ray cluster of RAY_ADDRESS, or a local one; same results."""
    render_depth: bool = False
    """Then render what a depth policy would have seen along all trajectories of the store; see hop
    trajectories render-depth, which does the same later."""
    json: bool = False
    """Print one JSON line in place of the summary."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""


def main(argv: list[str]) -> int:
    """Retarget hand-object tracks to robot trajectories, in simulation.

    Raises:
        HopError: arguments that do not fit, or a store that cannot be written.
    """
    args = tyro.cli(Arguments, args=argv, prog="hop retarget")
    if args.threads is not None and args.threads < 1:
        raise ConfigError(f"--threads must be at least 1, got {args.threads}")
    if not 0 <= args.seed <= _MOST_SEED:
        raise ConfigError(f"--seed must be 0 to {_MOST_SEED}, got {args.seed}")
    files = _files(args.tracks)
    for place in args.tracks:
        if args.store.resolve().is_relative_to(place.resolve()):
            raise ConfigError(
                f"the store {args.store} lies in {place}, whose tracks are taken; choose a place "
                "outside of it, or the next run would take the store's files for tracks"
            )
    settings = load_settings(args.attempts, args.seed, args.solver, args.config_dir)
    recipe = load_recipe(config_dir=args.config_dir) if args.render_depth else None
    with TrajectoryWriter.resume(args.store, make_header(settings.hashes())) as writer:
        outcomes = _run(files, writer, settings, args)
    depth = render_store(args.store, recipe, args.threads) if recipe is not None else None
    _summarise(outcomes, depth, args, settings.engine.prune)
    return int(any(outcome.reasons for outcome in outcomes))


def _files(places: tuple[Path, ...]) -> list[Path]:
    """The tracks in `places`, each once, in their order: either file of a track stands for it."""
    found = [
        file
        for place in places
        for file in (list_tracks(place) if place.is_dir() else [about_path(place)])
    ]
    if not any(file.is_file() for file in found):
        where = ", ".join(map(str, places)) or "no PATH given"
        raise TrackError(f"{where}: there is no track; see hop tracks --help")
    return list({file.resolve(): file for file in found}.values())


def _run(
    files: list[Path], writer: TrajectoryWriter, settings: RetargetSettings, args: Arguments
) -> list[TrackOutcome]:
    console = Console(stderr=True)

    def told(outcomes: Iterator[TrackOutcome]) -> Iterator[TrackOutcome]:
        for outcome in outcomes:
            for reason in outcome.reasons:
                console.print(reason, soft_wrap=True, markup=False, highlight=False)
            yield outcome

    threads = args.threads or usable_cores()
    cluster = RayRunner(settings) if args.ray else LocalRunner(settings, threads)
    with cluster as runner:
        outcomes = retarget_tracks(files, writer, runner, settings)
        return watched(told(outcomes), "tracks", len(files), console)


def _summarise(
    outcomes: list[TrackOutcome],
    depth: dict[str, Any] | None,
    args: Arguments,
    prune: PruneConfig,
) -> None:
    totals: Counter[str] = Counter()
    for outcome in outcomes:
        totals["retargeted"] += outcome.attempts > 0
        totals["was_there"] += outcome.was_there
        totals["failed"] += bool(outcome.reasons)
        for name in ("attempts", "kept_any", "kept_contact"):
            totals[name] += getattr(outcome, name)
    if args.json:
        tracks = [asdict(outcome) for outcome in outcomes]
        print(json.dumps({**totals, "tracks": tracks, "depth": depth}))
        return
    print(
        f"{totals['retargeted']} tracks retargeted, {totals['was_there']} were there, "
        f"{totals['failed']} failed; the store is {args.store}"
    )
    if totals["attempts"]:
        for name, reading in (
            ("kept_any", f"error below {prune.error_m * 100:g} cm in some frame"),
            ("kept_contact", f"in {prune.contact_share:.0%} of the contact frames"),
        ):
            rate = rate_of(totals[name], totals["attempts"])
            print(f"kept of {rate.trials} attempts, {reading}: {rate.successes} ({rate.value:.3f})")
    if depth is not None:
        print(rendering_text(depth))
