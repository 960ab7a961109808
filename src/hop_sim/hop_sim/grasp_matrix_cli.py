"""`hop grasps`: each of the expert's grasps on each object of a task."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from hop_core.errors import ConfigError
from hop_sim.episode_progress import watched
from hop_sim.grasp_matrix import all_trials, try_grasps
from hop_sim.rollout import CellSpec
from hop_sim.seeds import evaluation_seeds
from hop_sim.statistics import Rate, success_rate
from hop_sim.tasks.registry import load_task


@dataclass(frozen=True)
class Arguments:
    """Try each of the expert's grasps on each object of a task, and report the success rates.

    Objects that need different grasps are taken by their own and not by the others. In lock-step;
    a grasp that fails is tried again until the task's time limit.
    """

    task: str = "grasp_lift"
    """Task."""
    rollouts: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 20
    """Episodes of each grasp with each object."""
    first: int = 0
    """Seed of the first episode; the others follow."""
    workers: int = 2
    """Processes that simulate side by side."""
    json: bool = False
    """Print one JSON line on stdout instead of the table."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""


def main(argv: list[str]) -> int:
    """Print which grasp takes which object."""
    args = tyro.cli(Arguments, prog="hop grasps", args=argv)
    if args.rollouts < 1 or args.workers < 1:
        raise ConfigError(
            f"--rollouts and --workers must be at least 1, got {args.rollouts} and {args.workers}"
        )
    cell = CellSpec(args.task, config_dir=None if args.config_dir is None else str(args.config_dir))
    names = load_task(args.task, cell.load_robot().table, cell.config_dir).choices
    trials = all_trials(names, evaluation_seeds(args.rollouts, args.first))
    done = watched(try_grasps(cell, trials, args.workers), "episodes", len(trials))
    rates = {
        grasp: {
            thing: success_rate(
                [
                    success
                    for trial, success in zip(trials, done, strict=True)
                    if (trial.grasp, trial.thing) == (grasp, thing)
                ]
            )
            for thing in names
        }
        for grasp in names
    }
    if args.json:
        print(json.dumps({"task": args.task, "grasps": _as_dict(rates)}))
    else:
        Console().print(_table(args.task, rates))
    return 0


def _as_dict(rates: dict[str, dict[str, Rate]]) -> dict[str, dict[str, dict[str, float | int]]]:
    return {
        grasp: {thing: rate.as_dict() for thing, rate in row.items()}
        for grasp, row in rates.items()
    }


def _table(task: str, rates: dict[str, dict[str, Rate]]) -> Table:
    table = Table(title=f"{task}: success of each grasp (rows) on each object (columns)")
    for column in ("grasp of", *rates):
        table.add_column(column)
    for grasp, row in rates.items():
        cells = (f"{rate.value:.2f} ({rate.successes}/{rate.trials})" for rate in row.values())
        table.add_row(grasp, *cells)
    return table
