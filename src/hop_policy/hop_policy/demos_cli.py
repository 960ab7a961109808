"""`hop demos`: look at recorded episodes, label them, restore unfinished ones. Deletes nothing."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.table import Table

from hop_core.cli import run_verb
from hop_core.config import config_path, load_config
from hop_core.errors import BagError
from hop_core.terminal import table_console
from hop_policy.bag_files import METADATA_FILE
from hop_policy.bag_label import relabel
from hop_policy.bag_reader import EpisodeBag, find_episodes, open_episode
from hop_policy.bag_repair import find_parts, repair
from hop_policy.episode_info import parse_label
from hop_policy.recorder_config import RecorderConfig

VERB_GROUP = "hop.demos_verbs"


@dataclass(frozen=True)
class Place:
    """Where the demonstrations are."""

    root: Path | None = None
    """folder of all episodes, ROOT/TASK/EPISODE; default: that of recorder.yaml"""
    config_dir: Path | None = None
    """folder of the configuration; default: the installed one"""

    def config(self) -> RecorderConfig:
        """Return the recorder's configuration."""
        return load_config(config_path("recorder.yaml", self.config_dir), RecorderConfig)

    def folder(self) -> Path:
        """Return the folder of all episodes."""
        return self.root.expanduser() if self.root else self.config().folder()


@dataclass(frozen=True)
class ListOptions(Place):
    """List all episodes."""

    task: str | None = None
    """only this task"""
    json: bool = False
    """print one JSON object per episode instead of a table"""


@dataclass(frozen=True, kw_only=True)
class ShowOptions(Place):
    """Show one episode: provenance and the rate of every topic."""

    episode: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="EPISODE")]
    """TASK/EPISODE, or a path"""


@dataclass(frozen=True, kw_only=True)
class LabelOptions(Place):
    """Label one episode; only "success" is learnt from by default."""

    episode: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="EPISODE")]
    """TASK/EPISODE, or a path"""
    label: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="LABEL")]
    """success, failure, unlabelled or discarded"""


@dataclass(frozen=True)
class RepairOptions(Place):
    """Restore episodes whose recording was cut off, up to their last complete chunk."""

    task: str | None = None
    """only this task"""


def main(argv: list[str]) -> int:
    """Look at recorded episodes, label them, restore unfinished ones, collect new ones.

    Other packages add verbs through entry points.
    """
    return run_verb(VERB_GROUP, "hop demos", argv)


def list_main(argv: list[str]) -> int:
    """List all episodes; return 1 if an episode is damaged."""
    options = tyro.cli(ListOptions, args=argv, prog="hop demos list")
    root = options.folder()
    bags, damaged = [], []
    for path in find_episodes(root, options.task):
        try:
            bag = open_episode(path)
            if bag.label != "discarded":
                bag.require_end()
            bags.append(bag)
        except BagError as error:
            damaged.append(str(error))
    if options.json:
        for bag in bags:
            print(json.dumps(_summary(bag)))
    else:
        _print_table(_list_table(bags))
        labels = Counter(bag.label for bag in bags)
        told = ", ".join(f"{count} {label}" for label, count in labels.items()) or "none"
        print(f"{len(bags)} episodes in {root}: {told}")
    parts = find_parts(root, options.task)
    if parts and not options.json:
        print(f"{len(parts)} unfinished: 'hop demos repair' restores them")
    for sentence in damaged:
        print(sentence, file=sys.stderr)
    return 1 if damaged else 0


def show_main(argv: list[str]) -> int:
    """Show one episode: provenance and the rate of every topic."""
    options = tyro.cli(ShowOptions, args=argv, prog="hop demos show")
    bag = open_episode(_resolve(options, options.episode))
    for key, value in _summary(bag).items():
        print(f"{key:14} {value}")
    table = Table("topic", "messages", "expected Hz", "achieved Hz", "longest gap s", "ok")
    for audit in bag.rate_audit:
        expected = f"{audit['expected_hz']:g}" if audit["expected_hz"] else "-"
        table.add_row(
            audit["topic"],
            str(audit["count"]),
            expected,
            f"{audit['achieved_hz']:.1f}",
            f"{audit['max_gap_s']:.3f}",
            "yes" if audit["ok"] else "NO",
        )
    _print_table(table)
    return 0


def label_main(argv: list[str]) -> int:
    """Change the label of one episode."""
    options = tyro.cli(LabelOptions, args=argv, prog="hop demos label")
    path = _resolve(options, options.episode)
    label = parse_label(options.label)
    print(f"{path.parent.name}/{path.name}: {relabel(path, label)} -> {label}")
    return 0


def repair_main(argv: list[str]) -> int:
    """Restore episodes whose recording was cut off; return 1 if a part cannot be restored."""
    options = tyro.cli(RepairOptions, args=argv, prog="hop demos repair")
    config, root = options.config(), options.folder()
    if not root.is_dir():
        raise BagError(f"there is no folder {root}: check --root")
    parts = find_parts(root, options.task)
    failed = 0
    for part in parts:
        try:
            done = repair(part, config)
        except BagError as error:
            failed += 1
            print(error, file=sys.stderr)
        else:
            print(f"restored {done.path}: {done.messages} messages, {done.seconds:.1f} s")
    if not parts:
        print(f"nothing is unfinished in {root}")
    return 1 if failed else 0


def _resolve(place: Place, name: str) -> Path:
    """Return the folder of the episode `name`: a path, or TASK/EPISODE under the root."""
    for path in (Path(name).expanduser(), place.folder() / name):
        if name and (path / METADATA_FILE).is_file():
            return path.resolve()
    raise BagError(f"there is no episode {name!r} in {place.folder()}: see hop demos list")


def _summary(bag: EpisodeBag) -> dict[str, object]:
    return {
        "episode": bag.name,
        "label": bag.label,
        "source": bag.info.source,
        "seconds": round(bag.duration_ns / 1e9, 2),
        "rates_ok": bag.rates_ok,
        "seed": bag.info.seed,
        "policy": bag.info.policy,
        "config_hash": bag.info.config_hash,
        "contract_hash": bag.info.contract_hash,
        "software": bag.info.software,
        "reason": bag.reason,
        **bag.info.extra,
    }


def _list_table(bags: list[EpisodeBag]) -> Table:
    table = Table("episode", "label", "source", "seconds", "rates", "remark")
    for bag in bags:
        rates = "ok" if bag.rates_ok else "BROKEN"
        seconds = f"{bag.duration_ns / 1e9:.1f}"
        table.add_row(bag.name, bag.label, bag.info.source, seconds, rates, bag.reason)
    return table


def _print_table(table: Table) -> None:
    """Print a table; into a file or a pipe with nothing cut short."""
    console = table_console()
    console.print(table)
