"""`hop replay`: plays a recorded bag through the real policy node and compares what it does."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import tyro
from rich.table import Table

from hop_core.errors import BagError, ConfigError
from hop_core.terminal import table_console
from hop_policy.bag_reader import EpisodeBag, find_bags, open_episode
from hop_policy.contract import NS_PER_MS, load_contract
from hop_policy.inference import Policy
from hop_policy.policy_process import own_domain
from hop_policy.replay import Replay
from hop_policy.replay_verdict import Allowed, Verdict
from hop_policy.shipped import checkpoint_path, shipped_policy

_LAST_DOMAIN = 232


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Play a recorded bag through the real policy node, in real time, and compare what it does.

    Its ticks and the samples that they use must be those of the recording and of the tick rule
    applied offline; its targets must be those that the same network gives offline. Everything stays
    on 127.0.0.1 and in a ROS domain of its own.
    """

    bag: tyro.conf.Positional[Path]
    """The bag: a folder."""
    policy: Path | None = None
    """Checkpoint; default: the one that is shipped for the bag's task."""
    allow: float = Allowed.ticks
    """Share of the ticks that may be left out or use other samples."""
    tolerance_rad: float = Allowed.target_rad
    """How far a target may lie from that of the same network offline [rad]."""
    lead_ms: float = 20.0
    """How much earlier than it was received each message is sent [ms], so that the way through this
    machine makes none late."""
    domain: Annotated[int | None, tyro.conf.arg(metavar="0-232")] = None
    """ROS domain, in which nobody else may be; default: not the environment's."""
    json: bool = False
    """Print one JSON line instead of the tables."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""


def main(argv: list[str]) -> int:
    """Replay a bag through the policy node; return 1 when it differs beyond what is allowed."""
    args = tyro.cli(Arguments, prog="hop replay", args=argv)
    sizes = (args.tolerance_rad, args.lead_ms)
    if not 0.0 <= args.allow <= 1.0 or not all(math.isfinite(x) and x >= 0.0 for x in sizes):
        raise ConfigError(
            "--allow is a share; --tolerance-rad and --lead-ms are finite numbers of 0 or more"
        )
    if args.domain is not None and not 0 <= args.domain <= _LAST_DOMAIN:
        raise ConfigError(f"--domain must lie in 0..{_LAST_DOMAIN}, got {args.domain}")
    bag = _bag(args.bag.expanduser())
    checkpoint = checkpoint_path(args.policy) if args.policy else shipped_policy(bag.info.task)
    torch.set_num_threads(1)  # as in the node, so that sums have the same order
    policy = Policy.load(checkpoint, load_contract(args.config_dir))
    domain = own_domain() if args.domain is None else args.domain
    lead_ns = round(args.lead_ms * NS_PER_MS)
    replay = Replay(bag, checkpoint, policy, domain, lead_ns, args.config_dir)
    verdict = replay.run(Allowed(args.allow, args.tolerance_rad))
    if args.json:
        names = policy.contract.joint_names
        print(json.dumps({"bag": bag.name, "policy": checkpoint.name, **_figures(verdict, names)}))
    else:
        _show(verdict, policy.contract.joint_names)
    if verdict.problem:
        print(f"hop replay: {verdict.problem}", file=sys.stderr)
    return int(bool(verdict.problem))


def _bag(place: Path) -> EpisodeBag:
    """Return the only bag that `place` names.

    Raises:
        BagError: there is none, or there are several.
    """
    found = find_bags(place)
    if len(found) != 1:
        raise BagError(f"{place} holds {len(found)} bags; name one of them")
    return open_episode(found[0])


def _figures(verdict: Verdict, joint_names: tuple[str, ...]) -> dict[str, object]:
    recorded = verdict.recorded_rad
    return {
        "ticks": verdict.ticks,
        "answered": verdict.answered,
        "missed": verdict.missed,
        "refused": verdict.refused,
        "other_samples": {"ticks": verdict.other_ticks, **verdict.other_samples},
        "as_recorded": verdict.as_recorded,
        "offline_max_rad": dict(zip(joint_names, verdict.offline_rad.tolist(), strict=True)),
        "recorded": verdict.recorded,
        "recorded_mean_rad": None
        if recorded is None
        else dict(zip(joint_names, recorded.tolist(), strict=True)),
        "node": dict(verdict.node),
        "player_late_ms": round(verdict.player_late_ms, 2),
        "problem": verdict.problem,
    }


def _show(verdict: Verdict, joint_names: tuple[str, ...]) -> None:
    console = table_console()
    others = ", ".join(f"{stream} {count}" for stream, count in verdict.other_samples.items())
    rows = {
        "ticks of the recording": verdict.ticks,
        "answered": verdict.answered,
        "missed": verdict.missed,
        "refused": verdict.refused,
        "with other samples than by the rule": f"{verdict.other_ticks} {others and f'({others})'}",
        "with just the recorded samples": "-"
        if verdict.as_recorded is None
        else verdict.as_recorded,
        "latest message of the player, late by \\[ms]": f"{verdict.player_late_ms:.1f}",
        "node: tick to target, 99 % \\[ms]": verdict.node["tick_to_target_p99_ms"],
    }
    table = Table("replay", "")
    for name, value in rows.items():
        table.add_row(name, str(value))
    console.print(table)
    columns = ("joint", "offline, largest \\[rad]", f"{verdict.recorded}, mean \\[rad]")
    table = Table(*columns, title="difference of the node's targets")
    for i, joint in enumerate(joint_names):
        recorded = "-" if verdict.recorded_rad is None else f"{verdict.recorded_rad[i]:.4f}"
        table.add_row(joint, f"{verdict.offline_rad[i]:.2g}", recorded)
    console.print(table)
    console.print(verdict.problem or "the node does what it does offline")
