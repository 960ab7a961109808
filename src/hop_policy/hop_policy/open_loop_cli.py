"""`hop eval --open-loop`: how far a policy's answers lie from the labels of recorded episodes."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro
from rich.console import Console
from rich.table import Table

from hop_core.embodiment import ARM, HAND
from hop_core.errors import BagError, ConfigError
from hop_core.terminal import table_console
from hop_policy.bag_dataset import decode_bags, labelled
from hop_policy.bag_reader import EpisodeBag, find_bags
from hop_policy.checkpoint import Checkpoint, load_checkpoint
from hop_policy.contract import PolicyContract, load_contract
from hop_policy.dataset import store_episodes
from hop_policy.objective import Validation
from hop_policy.open_loop import HORIZONS, OpenLoopErrors, answers_of, open_loop_errors
from hop_policy.path_names import unique_ends
from hop_policy.provenance import learnt_among
from hop_policy.shipped import checkpoint_path, shipped_policy
from hop_policy.streams import stream_rules

OPTION = "--open-loop"
_MRAD = 1e3


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Judge policies by the labels of recorded episodes, without a simulator or a robot.

    Beside each policy stand its blind control (the vision of another episode), and copying of the
    posture and of the previous label. Errors are L1, by joint, horizon and length of history.
    """

    open_loop: Path
    """One bag, a folder of bags, or the folder of all demonstrations."""
    policy: tuple[Path, ...] = ()
    """Checkpoints; default: the one that is shipped for the task of the bags."""
    task: str | None = None
    """Only the episodes of this task."""
    labels: tuple[str, ...] = ("success",)
    """Labels of the episodes to judge by."""
    horizons: tuple[int, ...] = HORIZONS
    """Ticks from an answer to the label that it is compared with."""
    other_contract: bool = False
    """Take bags that were recorded for another contract too; samples and labels are then chosen by
    this one's rule, as training does."""
    json: bool = False
    """Print one JSON line instead of the tables."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""


@dataclass(frozen=True)
class Report:
    """Errors of each agent.

    Attributes:
        about: what was judged by what, flat.
        trained_on: how many of the bags each policy has seen in training; None: it does not say.
        errors: by agent, policies first.
        horizons: of the errors.
        joint_names: of the errors.
    """

    about: Mapping[str, object]
    trained_on: Mapping[str, int | None]
    errors: Mapping[str, OpenLoopErrors]
    horizons: Sequence[int]
    joint_names: Sequence[str]

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        agents = {
            name: each.as_dict(self.joint_names, self.horizons)
            for name, each in self.errors.items()
        }
        return {**self.about, "trained_on": dict(self.trained_on), "agents": agents}

    def show(self, console: Console) -> None:
        """Print errors by horizon, by history and by joint [mrad]."""
        console.print(", ".join(f"{key} {value}" for key, value in self.about.items()))
        for name, count in self.trained_on.items():
            if count is None:
                console.print(
                    f"{name} does not say what it was trained on: these bags may be among it"
                )
            elif count:
                console.print(
                    f"{name} was trained on {count} of these bags: they say less about it"
                )
        for part, joints in (("arm", ARM), ("hand", HAND)):
            titles = [f"{h:+d}" if h else "0" for h in self.horizons]
            table = Table("agent", "all ticks", *titles, title=f"L1, {part} \\[mrad], ticks ahead")
            for name, each in self.errors.items():
                row = [each.joint_rad[joints], *each.horizon_rad[:, joints]]
                table.add_row(name, *(f"{_MRAD * value.mean():.1f}" for value in row))
            console.print(table)
        spans = next(iter(self.errors.values())).history_rad
        table = Table("agent", *spans, title="L1, all joints \\[mrad], by ticks since the start")
        for name, each in self.errors.items():
            values = each.history_rad.values()
            table.add_row(name, *(f"{_MRAD * value.mean():.1f}" for value in values))
        console.print(table)
        table = Table("joint", *self.errors, title="L1 \\[mrad]")
        for i, joint in enumerate(self.joint_names):
            columns = (f"{_MRAD * each.joint_rad[i]:.1f}" for each in self.errors.values())
            table.add_row(joint, *columns)
        console.print(table)


def main(argv: list[str]) -> int:
    """Judge policies by recorded episodes; return the exit code."""
    args = tyro.cli(Arguments, prog="hop eval", args=argv)
    report = judge(args)
    console = table_console()
    print(json.dumps(report.as_dict())) if args.json else report.show(console)
    return 0


def judge(args: Arguments) -> Report:
    """Return the errors of the policies on the bags.

    Raises:
        BagError: there are no bags, one is damaged, too short or of another contract.
        CheckpointError: a policy is not usable.
        ConfigError: the bags' camera cannot give the policy's view, or it sees what bags lack.
    """
    if not args.horizons:
        raise ConfigError("--horizons needs at least one number of ticks, such as 0")
    contract = load_contract(args.config_dir)
    stream_rules(contract)  # what no topic carries is said before anything is read
    place = args.open_loop.expanduser()
    bags = labelled(_found(place, args.task), place, args.labels)
    checkpoints = _checkpoints(args.policy, bags, contract)
    if not args.other_contract:
        for bag in bags:
            bag.require_contract(contract, "use the policy.yaml of that time, or --other-contract")
    store = store_episodes(decode_bags(bags, contract, _told), contract)
    models = {name: each.model for name, each in checkpoints.items()}
    validations = {
        name: Validation(store, contract, model.config.context, model.action_std)
        for name, model in models.items()
    }
    labels = next(iter(validations.values()))
    errors = open_loop_errors(
        answers_of(models, validations), labels.in_rad(labels.labels()), args.horizons
    )
    about = {
        "mode": "open loop",
        "bags": len(bags),
        "episodes": len(store.lengths),
        "ticks": len(store),
        "policy": ", ".join(checkpoints),
    }
    trained_on = {name: _trained_on(each, bags) for name, each in checkpoints.items()}
    return Report(about, trained_on, errors, args.horizons, contract.joint_names)


def _found(place: Path, task: str | None) -> list[Path]:
    found = find_bags(place, task)
    if not found:
        of = f" of {task}" if task else ""
        raise BagError(f"there is no episode{of} in {place}: record some or check the path")
    return found


def _checkpoints(
    paths: Sequence[Path], bags: Sequence[EpisodeBag], contract: PolicyContract
) -> dict[str, Checkpoint]:
    """Return the checkpoints by name.

    Raises:
        ConfigError: one is named twice.
    """
    tasks = sorted({bag.info.task for bag in bags})
    if not paths and len(tasks) > 1:
        raise ConfigError(f"bags of {', '.join(tasks)} together have no shipped policy; pass one")
    wanted = [checkpoint_path(path).resolve() for path in paths] or [shipped_policy(tasks[0])]
    if len(set(wanted)) < len(wanted):
        raise ConfigError("a policy is named twice; name each once")
    names = unique_ends(wanted)
    return {name: load_checkpoint(path, contract) for name, path in zip(names, wanted, strict=True)}


def _trained_on(checkpoint: Checkpoint, bags: Sequence[EpisodeBag]) -> int | None:
    """Return how many of the bags the checkpoint was trained on; None where it does not say."""
    seen = learnt_among(checkpoint.path, (bag.name for bag in bags))
    return None if seen is None else len(seen)


def _told(done: int, total: int, name: str) -> None:
    """Say now and then how many episodes are read."""
    if done % 25 == 0:
        print(f"read {done} of {total} episodes ({name})", file=sys.stderr)
