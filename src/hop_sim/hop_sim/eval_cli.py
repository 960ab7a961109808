"""`hop eval`: how often a policy does its task, in lock-step or live, beside what must do worse."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from hop_core.errors import ConfigError
from hop_policy.shipped import has_shipped_policy, shipped_policy
from hop_sim.episode_progress import watched
from hop_sim.evaluate import AgentName, AgentSpec, ControlName, evaluate
from hop_sim.live_eval import LiveOptions, evaluate_live
from hop_sim.realism import Realism
from hop_sim.rollout import CellSpec, Outcome
from hop_sim.seeds import evaluation_seeds
from hop_sim.statistics import success_rate


@dataclass(frozen=True)
class Arguments:
    """Roll out a policy on paired start states and report its success with 95 % Wilson intervals.

    In lock-step (the default) the blind policy stands beside it: the same network that sees another
    episode. With --live the ROS graph of the twin runs, in real time.
    """

    task: str = "grasp_lift"
    """Task."""
    policy: Path | None = None
    """Checkpoint; default: the one that is shipped for the task. Where none is, controls that need
    none (nearest, zero, expert) run alone."""
    rollouts: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 100
    """Episodes."""
    first: int = 0
    """Seed of the first episode; the others follow."""
    controls: tuple[ControlName, ...] | None = None
    """Agents to roll out beside the policy: blind, nearest, zero, expert. Default: blind in
    lock-step, none with --live, which has none."""
    demos: Path | None = None
    """Demonstrations for the control `nearest`."""
    workers: int = 2
    """Processes that simulate side by side (lock-step)."""
    live: bool = False
    """Through the ROS graph of the twin instead of lock-step."""
    paired: bool = False
    """With --live: run the same states in lock-step too, and list those that disagree."""
    record: bool = False
    """With --live: record every episode as a bag."""
    require: int = 0
    """Exit with 1 when the policy has fewer successes."""
    json: bool = False
    """Print one JSON line on stdout instead of the table."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""
    realism: Realism = field(default_factory=Realism)
    """How wrong the camera is; lock-step and live alike."""


def main(argv: list[str]) -> int:
    """Report how often a policy does its task; return 1 when that, or its cadence, falls short."""
    args = tyro.cli(Arguments, prog="hop eval", args=argv)
    if args.rollouts < 1 or args.workers < 1:
        raise ConfigError(
            f"--rollouts and --workers must be at least 1, got {args.rollouts} and {args.workers}"
        )
    if "nearest" in (args.controls or ()) and args.demos is None:
        raise ConfigError("replay of the nearest demonstration needs demonstrations; pass --demos")
    if args.live and args.controls:
        raise ConfigError("--controls run in lock-step; leave out --live, or --controls")
    if (args.paired or args.record) and not args.live:
        raise ConfigError("--paired and --record go with --live")
    seeds = evaluation_seeds(args.rollouts, args.first)
    checkpoint = _checkpoint(args)
    config_dir = None if args.config_dir is None else str(args.config_dir)
    cell = CellSpec(args.task, args.realism, config_dir)
    if args.live:
        report = _live(args, cell, checkpoint or shipped_policy(args.task), seeds)
    else:
        report = _lock_step(args, cell, checkpoint, seeds)
    print(json.dumps(report.as_dict())) if args.json else report.show(Console())
    return report.exit_code(args.require)


def _checkpoint(args: Arguments) -> Path | None:
    """Return the policy to evaluate; None where controls alone are asked for and none is shipped.

    Raises:
        CheckpointError: none is shipped for the task, and something needs one.
    """
    if args.policy is not None:
        return args.policy
    controls = args.controls or ("blind",)
    if "blind" not in controls and args.require == 0 and not has_shipped_policy(args.task):
        return None
    return shipped_policy(args.task)


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    Attributes:
        about: what was evaluated, flat.
        outcomes: of each agent, in the order of the table; the policy first, where there is one.
        cadence: of a live run; None in lock-step.
        cadence_problem: why the cadence does not do; empty if it does.
    """

    about: dict[str, object]
    outcomes: dict[str, list[Outcome]]
    cadence: dict[str, float] | None = None
    cadence_problem: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON; `success` and its interval are the policy's, if any."""
        agents = {name: _figures(outcomes) for name, outcomes in self.outcomes.items()}
        out = {**self.about, **agents.get("policy", {}), "agents": agents}
        if self.cadence is not None:
            out |= {"cadence": self.cadence, "cadence_problem": self.cadence_problem}
        if len(self.outcomes) == 2 and "lock-step" in self.outcomes:
            out["disagree"] = self.disagreements()
        return out

    def disagreements(self) -> list[int]:
        """Return the seeds whose episodes end differently live and in lock-step."""
        live, lock = self.outcomes["policy"], self.outcomes["lock-step"]
        return [a.seed for a, b in zip(live, lock, strict=True) if a.success != b.success]

    def show(self, console: Console) -> None:
        """Print the success table, and the cadence of a live run."""
        table = Table(title=", ".join(f"{key} {value}" for key, value in self.about.items()))
        for column in ("agent", "success", "95 % interval", "time to success [s]", "other ends"):
            table.add_column(column)
        for name, outcomes in self.outcomes.items():
            rate = success_rate([o.success for o in outcomes])
            times = sorted(o.time_s for o in outcomes if o.success)
            ends = {o.reason for o in outcomes if not o.success}
            table.add_row(
                name,
                f"{rate.value:.2f} ({rate.successes}/{rate.trials})",
                f"{rate.low:.2f}-{rate.high:.2f}",
                f"{times[len(times) // 2]:.1f}" if times else "-",
                "; ".join(sorted(ends)) or "-",
            )
        console.print(table)
        if "lock-step" in self.outcomes:
            console.print(f"states that disagree: {self.disagreements() or 'none'}")
        if self.cadence is not None:
            rows = Table("cadence", "value")
            for key, value in self.cadence.items():
                rows.add_row(key, f"{value:g}")
            console.print(rows)
            console.print(self.cadence_problem or "cadence holds")

    def exit_code(self, require: int) -> int:
        """Return 1, and say so on stderr, when the policy or the cadence falls short."""
        successes = sum(outcome.success for outcome in self.outcomes.get("policy", ()))
        if successes < require:
            print(f"hop eval: {successes} successes, {require} are required", file=sys.stderr)
        if self.cadence_problem:
            print(f"hop eval: {self.cadence_problem}", file=sys.stderr)
        return int(successes < require or bool(self.cadence_problem))


def _figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    rate = success_rate([o.success for o in outcomes])
    times = sorted(o.time_s for o in outcomes if o.success)
    return {
        **rate.as_dict(),
        "time_to_success_s": round(times[len(times) // 2], 2) if times else None,
        "failed_seeds": [o.seed for o in outcomes if not o.success],
    }


def _lock_step(
    args: Arguments, cell: CellSpec, checkpoint: Path | None, seeds: list[int]
) -> Report:
    about = {
        "task": args.task,
        "mode": "lock-step",
        "policy": "none" if checkpoint is None else checkpoint.name,
        **_realism(args.realism),
    }
    controls: tuple[AgentName, ...] = ("blind",) if args.controls is None else args.controls
    outcomes: dict[str, list[Outcome]] = {}
    policy: tuple[AgentName, ...] = () if checkpoint is None else ("policy",)
    for name in (*policy, *controls):
        agent = AgentSpec(name, checkpoint, args.demos)
        outcomes[name] = watched(evaluate(cell, agent, seeds, args.workers), name, len(seeds))
    return Report(about, outcomes)


def _live(args: Arguments, cell: CellSpec, checkpoint: Path, seeds: list[int]) -> Report:
    about = {"task": args.task, "mode": "live", "policy": checkpoint.name, **_realism(args.realism)}
    options = LiveOptions(cell, checkpoint, record=args.record)
    run = evaluate_live(options, seeds, lambda episodes: watched(episodes, "live", len(seeds)))
    outcomes = {"policy": run.outcomes}
    if args.paired:
        episodes = evaluate(cell, AgentSpec("policy", checkpoint), seeds, args.workers)
        outcomes["lock-step"] = watched(episodes, "lock-step", len(seeds))
    return Report(about, outcomes, run.cadence, run.cadence_problem)


def _realism(realism: Realism) -> dict[str, object]:
    return {key: value for key, value in asdict(realism).items()}
