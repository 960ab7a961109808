"""`hop table1`: Table I of the paper on the twin, from hand-object tracks to success rates."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from hop_core.config import config_path, load_config
from hop_core.durable_files import replace_file
from hop_core.errors import ConfigError
from hop_sim.processes import usable_cores
from hop_sim.table1.config import CONFIG, Table1Config
from hop_sim.table1.jobs import JobRunner
from hop_sim.table1.keep import keep, require_keepable
from hop_sim.table1.page import page_of
from hop_sim.table1.plan import Plan
from hop_sim.table1.results import Results, require_present_policies, require_present_settings
from hop_sim.table1.run_folder import writable
from hop_sim.table1.splice import require_marks, splice


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Run Table I of the paper on the twin: make trajectories, pretrain, finetune, roll out.

    A run that was stopped goes on where it was. Each step is a command of `hop`; its log is in
    OUT/logs. At the end, and with --report at any time, the tables are printed.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the run."""
    config: Path | None = None
    """What to run, a file or the name of an installed one; default: what the run in OUT was begun
    with, of a new one table1.yaml (small; table1_paper.yaml is the paper's, for a GPU)."""
    into: Path | None = None
    """Page whose tables, between the marks of an earlier run, are replaced."""
    keep: Path | None = None
    """Folder for a copy of all that the tables are made from (records, losses, the outcome of each
    rollout), and of the bases (4 MB each): `hop table1 -o DIR --report` then prints the same."""
    report: bool = False
    """Run nothing: print the tables of what is there."""
    cores: int | None = None
    """Processes of simulation and rendering where one job runs alone; default: one per core."""


def main(argv: list[str]) -> int:
    """Run Table I of the paper on the twin, from hand-object tracks to success rates.

    Raises:
        ConfigError: a configuration, the page, or the folder to keep things in cannot be used.
        HopError: a step failed.
    """
    args = tyro.cli(Arguments, prog="hop table1", args=argv)
    if args.cores is not None and args.cores < 1:
        raise ConfigError(f"--cores must be at least 1, got {args.cores}")
    path = _configuration(args)
    config = load_config(path, Table1Config)
    if args.into is not None:
        require_marks(args.into)
    if args.keep is not None:
        require_keepable(args.keep)
    plan = Plan(config, args.out, args.cores or usable_cores())
    if not args.report:
        _run(plan, path.read_bytes())
    results = Results(plan)
    page = page_of(results)
    if args.keep is not None:
        keep(results, args.keep)
    if args.into is not None:
        splice(args.into, page)
    print(page, end="")
    return 0


def _configuration(args: Arguments) -> Path:
    """Return the file that says what is run, or was.

    Raises:
        ConfigError: there is no run to report; a configuration is named for its report; or one is
            named that is not what the run was begun with.
    """
    own = args.out / CONFIG
    if args.report:
        if args.config is not None:
            raise ConfigError("--report tells what was run by its own configuration: no --config")
        if not own.is_file():
            raise ConfigError(f"there is no run in {args.out} ({CONFIG} is missing); check --out")
        return own
    if args.config is None:
        return own if own.is_file() else config_path(CONFIG)
    named = args.config if args.config.exists() else config_path(str(args.config))
    if own.is_file() and load_config(own, Table1Config) != load_config(named, Table1Config):
        raise ConfigError(
            f"{args.out} is a run of another configuration than {named}: its own is {own}; go on "
            "without --config, or choose another --out"
        )
    return named


def _run(plan: Plan, configuration: bytes) -> None:
    console, started = Console(stderr=True), time.monotonic()

    def told(line: str) -> None:
        minutes = (time.monotonic() - started) / 60
        done = f"{runner.ended} of {plan.count} jobs"
        console.print(f"{minutes:6.1f} min, {done}: {line}", highlight=False, soft_wrap=True)

    runner = JobRunner(plan.out, plan.config.at_once, told)
    with writable(plan.out):
        plan.out.mkdir(parents=True, exist_ok=True)
        own = plan.out / CONFIG
        if not own.is_file():
            replace_file(own, configuration)
        elif load_config(config_path(CONFIG), Table1Config) != plan.config:
            sentence = f"this run goes on by {own}, not by the installed {CONFIG}"
            console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    plan.require_configurations()
    require_present_settings(plan)
    require_present_policies(plan)
    for jobs in plan.stages():
        runner.run(jobs)
