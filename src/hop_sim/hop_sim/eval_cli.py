"""`hop eval`: how often a policy does its task, in lock-step or live, beside what must do worse."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hop_core.errors import ConfigError
from hop_core.terminal import table_console
from hop_policy import open_loop_cli
from hop_policy.checkpoint_files import LAST_WEIGHTS, WEIGHTS
from hop_policy.shipped import SHIPPED_TASK, has_shipped_policy, shipped_policy
from hop_sim.contenders import Contender, parse_contenders
from hop_sim.eval_run import EvalRun
from hop_sim.evaluate import ControlName
from hop_sim.realism import Realism
from hop_sim.rollout import CellSpec
from hop_sim.seeds import evaluation_seeds

_WEIGHTS = {"best": WEIGHTS, "last": LAST_WEIGHTS}


@dataclass(frozen=True)
class Arguments:
    """Roll out policies on paired start states; report success with intervals, and how they moved.

    In lock-step (the default) the blind policy stands beside each: the same network that sees
    another episode. With --live the ROS graph of the twin runs, in real time. Several policies are
    compared on the same states: ARM=DIRECTORY makes checkpoints the training seeds of one arm, and
    the first arm is compared with each other one.

    "hop eval --open-loop BAGS" judges by recorded episodes instead; "hop eval --open-loop BAGS
    --help" tells its options.
    """

    task: str = SHIPPED_TASK
    """Task."""
    policy: tuple[str, ...] = ()
    """Checkpoints, DIRECTORY or ARM=DIRECTORY; default: the one that is shipped for the task. Where
    none is, controls that need none (nearest, zero, expert) run alone."""
    weights: Literal["best", "last"] = "best"
    """Of each: best by validation loss, or the last ones (lock-step)."""
    rollouts: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 100
    """Episodes."""
    first: int = 0
    """Seed of the first episode; the others follow."""
    controls: tuple[ControlName, ...] | None = None
    """Agents to roll out beside the policy: blind, nearest, zero, expert. Default: blind in
    lock-step, none with --live, which has none."""
    demos: Path | None = None
    """Demonstrations for the control `nearest`."""
    most: int | None = None
    """Of these, only so many, the first by name, as in hop finetune; default: all."""
    workers: int = 2
    """Processes that simulate side by side (lock-step)."""
    live: bool = False
    """Through the ROS graph of the twin instead of lock-step."""
    paired: bool = False
    """With --live: run the same states in lock-step too, and list those that disagree."""
    record: bool = False
    """With --live: record every episode as a bag."""
    out: Path | None = None
    """File to keep the outcomes in, a JSON object a line; what is there is not run again."""
    require: int = 0
    """Exit with 1 when a policy has fewer successes."""
    json: bool = False
    """Print one JSON line on stdout instead of the table."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""
    realism: Realism = field(default_factory=Realism)
    """How wrong the camera is; lock-step and live alike."""


def main(argv: list[str]) -> int:
    """Report how often a policy does its task; return 1 when that, or its cadence, falls short.

    With --open-loop, which has options of its own: how far it is from recorded labels.
    """
    if any(argument.partition("=")[0] == open_loop_cli.OPTION for argument in argv):
        return open_loop_cli.main(argv)
    args = tyro.cli(Arguments, prog="hop eval", args=argv)
    if args.rollouts < 1 or args.workers < 1:
        raise ConfigError(
            f"--rollouts and --workers must be at least 1, got {args.rollouts} and {args.workers}"
        )
    nearest = "nearest" in (args.controls or ())
    if nearest and args.demos is None:
        raise ConfigError("replay of the nearest demonstration needs demonstrations; pass --demos")
    if not nearest and (args.demos, args.most) != (None, None):
        raise ConfigError("--demos and --most are for the control nearest; add it to --controls")
    if args.most is not None and args.most < 1:
        raise ConfigError(f"--most must be at least 1, got {args.most}")
    if args.live and args.controls:
        raise ConfigError("--controls run in lock-step; leave out --live, or --controls")
    if args.live and args.weights != "best":
        raise ConfigError("the policy node runs the best weights; leave out --live, or --weights")
    if (args.paired or args.record) and not args.live:
        raise ConfigError("--paired and --record go with --live")
    seeds = evaluation_seeds(args.rollouts, args.first)
    config_dir = None if args.config_dir is None else str(args.config_dir)
    contenders = _contenders(args)
    # Lock-step shows a policy what it was trained to see; on the robot, policy.yaml decides.
    vision = None if args.live or not contenders else contenders[0].vision
    run = EvalRun(
        CellSpec(args.task, args.realism, config_dir, vision),
        contenders,
        seeds,
        args.workers,
        _WEIGHTS[args.weights],
        args.demos,
        args.most,
        args.out,
    )
    if args.live:
        report = run.live(args.record, args.paired)
    else:
        report = run.lock_step(("blind",) if args.controls is None else args.controls)
    print(json.dumps(report.as_dict())) if args.json else report.show(table_console())
    shortfalls = report.shortfalls(args.require)
    for sentence in shortfalls:
        print(f"hop eval: {sentence}", file=sys.stderr)
    return int(bool(shortfalls))


def _contenders(args: Arguments) -> list[Contender]:
    """Return the policies to evaluate; none where controls alone are asked for and none is shipped.

    Raises:
        CheckpointError: none is shipped for the task, and something needs one.
        ConfigError: one is named twice.
    """
    if args.policy:
        return parse_contenders(args.policy)
    controls = args.controls or ("blind",)
    needs_none = not args.live and "blind" not in controls and args.require == 0
    if needs_none and not has_shipped_policy(args.task):
        return []
    return parse_contenders([str(shipped_policy(args.task))])
