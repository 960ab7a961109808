"""`hop trajectories`: look at stores of robot trajectories, check, merge and import them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from hop_core.cli import run_verb
from hop_core.errors import ConfigError, TrajectoryError
from hop_core.safety_config import load_safety
from hop_core.terminal import table_console
from hop_sim.episode_progress import watched
from hop_sim.trajectories.check import check_store
from hop_sim.trajectories.depth.reading import has_depth
from hop_sim.trajectories.depth.record import COMMAND
from hop_sim.trajectories.merge import merge_stores
from hop_sim.trajectories.release.config import JointOrder, load_release_config
from hop_sim.trajectories.release.folders import find_folders
from hop_sim.trajectories.release.importer import FolderReport, ImportSettings, import_release
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.summary import summary, track_summaries
from hop_sim.trajectories.tables import import_table, summary_tables, track_table
from hop_sim.trajectories.writer import TrajectoryWriter

VERB_GROUP = "hop.trajectories_verbs"
_Store = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STORE")]
_Out = Annotated[Path, tyro.conf.arg(aliases=["-o"])]


@dataclass(frozen=True, kw_only=True)
class ListOptions:
    """List the tracks of a store: attempts, what was kept, and why the rest was not."""

    store: _Store
    """Folder of the store, or a URL"""
    json: bool = False
    """Print one JSON line per track instead of the table."""


@dataclass(frozen=True, kw_only=True)
class StatsOptions:
    """Sum a store up: size, keep rates, reasons of rejection, metrics, range of the joints."""

    store: _Store
    """Folder of the store, or a URL"""
    json: bool = False
    """Print one JSON line instead of the tables."""


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """Read everything and compare it with the checksums; name each damaged track."""

    store: _Store
    """Folder of the store, or a URL"""
    json: bool = False
    """Print one JSON line instead of sentences."""


@dataclass(frozen=True, kw_only=True)
class MergeOptions:
    """Put the tracks of several stores into one.

    The stores must be made by the same settings and share no track. A merge that was stopped goes
    on. The stores themselves stay as they are. Their rendered depth is not merged.
    """

    stores: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="STORE...")]
    """Folders of the stores, or URLs"""
    out: _Out
    """Folder of the merged store."""


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Import trajectories of the HOP release: ROOT/SUBJECT/EPISODE/*.npy.

    Each EPISODE becomes a track, wholly or not at all. Targets are audited with the deployment's
    motion limiter. An import that was stopped goes on. A file that cannot be used is told, and the
    exit code is 1.
    """

    root: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="ROOT")]
    """Folder that holds the subjects, such as the release's train"""
    out: _Out
    """Folder of the store."""
    source: str = "hop_release"
    """Name of the data set; splits keep its subjects together."""
    joint_order: JointOrder = "disk"
    """Order of the joints in the files: the release's on disk, or its simulator's."""
    leave_out_bad_files: bool = False
    """Import an episode without its bad files, which are counted as rejected."""
    json: bool = False
    """Print one JSON line per folder instead of the table."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""

    def settings(self) -> ImportSettings:
        """Return how to import.

        Raises:
            ConfigError: a configuration is not usable, or the source has no name.
        """
        if not self.source:
            raise ConfigError("--source must name the data set")
        return ImportSettings(
            release=load_release_config(self.config_dir),
            safety=load_safety(self.config_dir),
            joint_order=self.joint_order,
            source=self.source,
            leave_out_bad_files=self.leave_out_bad_files,
        )


def main(argv: list[str]) -> int:
    """Look at stores of robot trajectories, check, merge and import them.

    Other packages add verbs through entry points.
    """
    return run_verb(VERB_GROUP, "hop trajectories", argv)


def list_main(argv: list[str]) -> int:
    """List the tracks of a store."""
    options = tyro.cli(ListOptions, args=argv, prog="hop trajectories list")
    store = TrajectoryStore.open(options.store)
    tracks = track_summaries(store)
    if options.json:
        for each in tracks:
            print(json.dumps(each))
    else:
        _show(track_table(tracks, f"{len(tracks)} tracks in {options.store}"))
    return 0


def stats_main(argv: list[str]) -> int:
    """Sum a store up."""
    options = tyro.cli(StatsOptions, args=argv, prog="hop trajectories stats")
    figures = summary(TrajectoryStore.open(options.store))
    if options.json:
        print(json.dumps(figures))
    else:
        _show(*summary_tables(figures, options.store))
    return 0


def check_main(argv: list[str]) -> int:
    """Compare a store with its checksums; return 1 if something is damaged."""
    options = tyro.cli(CheckOptions, args=argv, prog="hop trajectories check")
    store = TrajectoryStore.open(options.store)
    parts = 1 + len(store.objects) + len(store.tracks)
    if has_depth(store):
        parts += 1 + len(store.tracks)
    found = watched(check_store(store), "parts", parts)
    problems = {part: problem for part, problem in found if problem}
    if options.json:
        print(json.dumps({"store": options.store, "content": store.content, "problems": problems}))
    else:
        for part, problem in problems.items():
            print(f"{options.store}: {part}: {problem}", file=sys.stderr)
        print(
            f"{len(store.tracks)} tracks with {len(store)} trajectories in {options.store}: "
            f"{len(problems) or 'no'} damaged parts"
        )
    return int(bool(problems))


def merge_main(argv: list[str]) -> int:
    """Put the tracks of several stores into one."""
    options = tyro.cli(MergeOptions, args=argv, prog="hop trajectories merge")
    stores = [TrajectoryStore.open(address) for address in options.stores]
    if not stores:
        raise TrajectoryError("name at least one store to merge")
    total = sum(len(store.tracks) for store in stores)
    added = sum(new for _row, new in watched(merge_stores(stores, options.out), "tracks", total))
    merged = TrajectoryStore.open(options.out)
    print(
        f"{added} tracks added; {options.out} holds {len(merged.tracks)} with {len(merged)} "
        f"trajectories, content {merged.content}"
    )
    if any(map(has_depth, stores)):
        print(f"depth is not merged; the same images are rendered again by {COMMAND} {options.out}")
    return 0


def import_main(argv: list[str]) -> int:
    """Import trajectories of the HOP release; return 1 if something could not be used."""
    options = tyro.cli(ImportOptions, args=argv, prog="hop trajectories import")
    settings = options.settings()
    total = len(find_folders(options.root))
    console = Console(stderr=True)
    with TrajectoryWriter.resume(options.out, settings.header()) as writer:
        episodes = _told(import_release(options.root, writer, settings), console, options.json)
        reports = watched(episodes, "episodes", total, console)
    failed = sum(bool(report.problems) for report in reports)
    if not options.json:
        _show(import_table(reports, str(options.root)))
        imported = sum(report.trajectories > 0 for report in reports)
        print(
            f"{imported} episodes imported, {sum(report.there for report in reports)} were there, "
            f"{failed} with problems; the store is {options.out}"
        )
    return int(failed > 0)


def _told(
    reports: Iterable[FolderReport], console: Console, as_json: bool
) -> Iterator[FolderReport]:
    """Yield the reports; say what could not be used as it comes, and each as a line of JSON."""
    for report in reports:
        for sentence in report.problems:
            console.print(sentence, soft_wrap=True, markup=False, highlight=False)
        if as_json:
            print(json.dumps(asdict(report)))
        yield report


def _show(*tables: Table) -> None:
    """Print tables; into a file or a pipe with nothing cut short."""
    console = table_console()
    for table in tables:
        console.print(table)
