"""`hop demos collect`: demonstrations of a scripted expert on the twin."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from hop_core.config import config_path, load_config
from hop_core.errors import ConfigError
from hop_policy.recorder_config import RecorderConfig
from hop_policy.shipped import SHIPPED_TASK
from hop_sim.collect import Collection, collect, missing_seeds
from hop_sim.collect_live import collect_live
from hop_sim.episode_progress import watched
from hop_sim.realism import Realism
from hop_sim.rollout import CellSpec, Outcome
from hop_sim.statistics import success_rate


@dataclass(frozen=True)
class Arguments:
    """Record demonstrations of the scripted expert as bags, faster than real time (or --live).

    Only successes are kept. A run that was stopped continues: episodes that are there are passed
    over.
    """

    expert: bool = False
    """Let the scripted expert demonstrate; today the only demonstrator."""
    task: str = SHIPPED_TASK
    """Task to demonstrate."""
    count: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 50
    """Episodes to attempt."""
    first: int = 0
    """Number of the first one; other numbers are other start states."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """Folder of all episodes; default: recorder.yaml's root."""
    workers: int = 2
    """Processes that simulate side by side."""
    live: bool = False
    """Drive the ROS graph of the twin instead of the lock-step one: real time, real drivers."""
    keep_failures: bool = False
    """Keep failed attempts too, labelled failure."""
    steady: bool = False
    """Let the arm obey; by default it strays a little where the hand has leeway, and the expert
    corrects (`demo_disturbance` of the task's configuration). With --live it always obeys."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""
    realism: Realism = field(default_factory=Realism)
    """How wrong the camera is."""


def main(argv: list[str]) -> int:
    """Record demonstrations of the scripted expert.

    Raises:
        HopError: arguments that do not fit, or an attempt that could not be recorded at all.
    """
    args = tyro.cli(Arguments, prog="hop demos collect", args=argv)
    if not args.expert:
        raise ConfigError(
            "say --expert: the scripted expert is the only demonstrator here; "
            "people use record.launch.py"
        )
    if args.count < 1 or args.workers < 1:
        raise ConfigError(
            f"--count and --workers must be at least 1, got {args.count} and {args.workers}"
        )
    config_dir = None if args.config_dir is None else str(args.config_dir)
    config = load_config(config_path("recorder.yaml", args.config_dir), RecorderConfig)
    root = config.folder(str(args.out or ""))
    cell = CellSpec(args.task, args.realism, config_dir)
    what = Collection(cell, root, args.keep_failures, args.steady)
    outcomes = _show(what, args)
    if not outcomes:
        print(f"nothing to do: all {args.count} demonstrations are in {root / args.task}")
        return 0
    rate = success_rate([outcome.success for outcome in outcomes])
    there = args.count - rate.trials
    others = f"; {there} more of the {args.count} were there" if there else ""
    print(
        f"{rate.trials} attempts, {rate.successes} successes ({rate.value:.2f}, "
        f"95 % interval {rate.low:.2f}-{rate.high:.2f}) in {root / args.task}{others}"
    )
    return 0


def _show(what: Collection, args: Arguments) -> list[Outcome]:
    """Collect and show the progress; return how each attempt ended."""
    episodes = (
        collect_live(what, args.count, args.first)
        if args.live
        else collect(what, args.count, args.first, args.workers)
    )
    total = len(missing_seeds(what, args.count, args.first))
    return watched(episodes, f"{args.task} demonstrations", total)
