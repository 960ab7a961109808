"""`hop finetune`: trains a policy on recorded demonstrations."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tyro

from hop_core.cli import run_command
from hop_core.errors import ConfigError
from hop_policy.bag_dataset import load_episodes
from hop_policy.episode_info import DEMONSTRATORS, Source
from hop_policy.ranks import Ranks, torchrun_ranks
from hop_policy.train_data import data_of_episodes
from hop_policy.train_options import TrainOptions, learn, resolve
from hop_policy.train_progress import TrainProgress

CONFIG = "train.yaml"


@dataclass(frozen=True, kw_only=True)
class Arguments(TrainOptions):
    """Train a policy on demonstrations by behaviour cloning.

    OUT becomes a checkpoint directory: best weights by validation loss, the last ones,
    configuration, metrics, provenance. A run that was stopped continues with --resume.
    """

    demos: tyro.conf.Positional[Path]
    """Folder of the demonstrations, <root>/<task>/<episode>."""
    config: Path | None = None
    """Training configuration, a file or the name of an installed one; default: train.yaml (small;
    train_paper.yaml is the paper's)."""
    task: str | None = None
    """Only the demonstrations of this task."""
    labels: tuple[str, ...] = ("success",)
    """Labels of the demonstrations to learn from."""
    sources: tuple[Source, ...] = DEMONSTRATORS
    """Who moved the robot in them; a policy's own episodes are of the states that it is judged
    on."""
    most: int | None = None
    """Learn from so many demonstrations, the first by name; default: all."""


def main(argv: list[str]) -> int:
    """Train a policy on recorded demonstrations; returns the exit code."""
    args = tyro.cli(Arguments, prog="hop finetune", args=argv)
    with torchrun_ranks() as ranks:
        return _run(args, argv, ranks)


def _run(args: Arguments, argv: list[str], ranks: Ranks) -> int:
    if args.most is not None and args.most < 2:
        raise ConfigError(f"--most must be at least 2 (one to validate on), got {args.most}")
    contract, config = resolve(args, CONFIG)
    progress = TrainProgress(ranks.console())

    def loaded(done: int, total: int, name: str) -> None:
        if done == total or done % 25 == 0:
            progress.line(f"read {done} of {total} demonstrations ({name})")

    episodes = load_episodes(
        args.demos,
        contract,
        args.labels,
        sources=args.sources,
        task=args.task,
        most=args.most,
        progress=loaded,
    )
    data = data_of_episodes(episodes, contract, config)
    if told := _lacks(data.provenance):
        progress.line(told)
    data = replace(data, provenance={**data.provenance, "demonstrations": str(args.demos)})
    command = ranks.command("finetune", "hop_policy.finetune_cli", argv)
    told = learn(args, contract, config, data, command, ranks, progress)
    if ranks.first:
        print(told)
    return 0


def _lacks(provenance: Mapping[str, Any]) -> str:
    """Return what the recordings lack, in a line; empty if nothing."""
    refused, broken = provenance["refused_ticks"], provenance["broken_rates"]
    said = [f"{refused} ticks without fresh samples or a target are left out"] if refused else []
    if broken:
        said.append(f"streams broke their rates in {', '.join(broken)}: hop demos show says which")
    return "; ".join(said)


if __name__ == "__main__":
    sys.exit(run_command(main, "hop finetune", sys.argv[1:]))  # torchrun -m
