"""`hop tracks`: import hand-object tracks, generate synthetic ones, check them, look at one."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.table import Table

from hop_core.errors import ConfigError, TrackError
from hop_core.terminal import table_console
from hop_sim.episode_progress import watched
from hop_sim.tracks.batch import Job, Outcome, run
from hop_sim.tracks.check import check_track
from hop_sim.tracks.config import TracksConfig, load_tracks_config
from hop_sim.tracks.dexycb_import import dexycb_jobs
from hop_sim.tracks.distinct import nearest_m, signature
from hop_sim.tracks.files import list_tracks, load_track
from hop_sim.tracks.npz_import import NpzSettings, npz_jobs
from hop_sim.tracks.synthetic.config import load_synthetic_config
from hop_sim.tracks.synthetic.generator import GeneratorSettings, synthetic_jobs
from hop_sim.tracks.synthetic.reaches import ReachSettings, load_reach_config, reach_jobs
from hop_sim.tracks.tables import summary, summary_table, track_table
from hop_sim.tracks.track import Track

OutFolder = Annotated[Path, tyro.conf.arg(aliases=["-o"])]


@dataclass(frozen=True, kw_only=True)
class Options(ABC):
    """What all verbs share."""

    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""

    def config(self) -> TracksConfig:
        """Return tracks.yaml."""
        return load_tracks_config(self.config_dir)

    @abstractmethod
    def run(self) -> int:
        """Do it and return the exit code."""


@dataclass(frozen=True, kw_only=True)
class ImportOptions(Options):
    """Import recordings as tracks: DexYCB, or .npz files of the plain layout of docs/tracks.md.

    A run that was stopped continues: tracks that are there are kept. A recording that cannot be
    used is told and left out, and the exit code is 1.
    """

    layout: Annotated[
        tyro.conf.Positional[Literal["dexycb", "npz"]], tyro.conf.arg(metavar="LAYOUT")
    ]
    """dexycb or npz"""
    path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PATH")]
    """DexYCB: the tree, a subject or a sequence; npz: a file or a folder of files"""
    out: OutFolder
    """Folder of the tracks."""
    up: str = ""
    """npz files that say neither up nor T_table_world: direction up in their world frame as x,y,z
    (write --up=-0.1,-0.7,-0.7), or an axis of the object in the first frame (write --up=-y)."""

    def run(self) -> int:
        """Import and return the exit code."""
        config = self.config()
        if self.layout == "npz":
            settings = NpzSettings(tracks=config, up=self.up)
            return _make(npz_jobs(self.path, settings), self.out, config)
        if self.up:
            raise ConfigError("--up goes with npz: DexYCB's table frame is that of its tag")
        return _make(dexycb_jobs(self.path, config), self.out, config)


@dataclass(frozen=True, kw_only=True)
class GenerateOptions(Options):
    """Generate synthetic tracks: a parametric hand reaches for, grasps, moves and places objects.

    They say that they are synthetic. A run that was stopped continues; track I of a seed is always
    the same.
    """

    count: Annotated[int, tyro.conf.arg(aliases=["-n"])] = 300
    """Tracks."""
    out: OutFolder
    """Folder of the tracks."""
    seed: int = 0
    """Other seeds give other tracks; the objects are the same."""

    def run(self) -> int:
        """Generate and return the exit code."""
        if self.count < 1 or self.seed < 0:
            raise ConfigError(
                f"--count must be at least 1 and --seed at least 0, got {self.count} and "
                f"{self.seed}"
            )
        config = self.config()
        settings = GeneratorSettings(
            tracks=config, synthetic=load_synthetic_config(self.config_dir)
        )
        return _make(synthetic_jobs(self.count, self.seed, settings), self.out, config)


@dataclass(frozen=True, kw_only=True)
class ReachesOptions(Options):
    """For each track of a folder, make one of equal length in which the hand just wanders.

    A control of pretraining: the track's object stands where it stood at first, the hand moves
    between random places and postures and keeps away from it. A run that was stopped continues.
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """Folder of the tracks whose number, lengths and objects are taken"""
    out: OutFolder
    """Folder of the new tracks; outside of DIR."""
    seed: int = 0
    """Other seeds give other ways."""

    def run(self) -> int:
        """Make them and return the exit code."""
        files = _some_tracks(self.folder)
        if self.seed < 0:
            raise ConfigError(f"--seed must be at least 0, got {self.seed}")
        if self.out.resolve().is_relative_to(self.folder.resolve()):
            raise ConfigError(
                f"--out {self.out} lies in {self.folder}, whose tracks are taken; choose a folder "
                "outside of it, or the next run would take the new tracks too"
            )
        settings = ReachSettings(
            tracks=self.config(),
            synthetic=load_synthetic_config(self.config_dir),
            reach=load_reach_config(self.config_dir),
        )
        return _make(reach_jobs(files, self.seed, settings), self.out, settings.tracks)


@dataclass(frozen=True, kw_only=True)
class CheckOptions(Options):
    """Read all tracks of a folder and judge each; say how many and how different they are."""

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="DIR")]
    """Folder of tracks; folders below it count."""
    json: bool = False
    """Print one JSON line on stdout instead of the table."""

    def run(self) -> int:
        """Check and return the exit code: 1 if a track is damaged or cannot be used."""
        config, paths = self.config(), _some_tracks(self.folder)
        kept, signatures, refused = [], [], 0
        for path in paths:
            track, reasons = _judge(path, config)
            refused += bool(reasons)
            _tell(reasons)
            if track is not None and not reasons:
                kept.append((track.object_name, track.meta))
                signatures.append(signature(track))
        figures: dict[str, object] = {"refused": refused}
        if kept:
            figures = {**summary(kept, nearest_m(signatures)), **figures}
        if self.json:
            print(json.dumps(figures))
        else:
            _show(summary_table(figures, str(self.folder)))
        return int(refused > 0)


@dataclass(frozen=True, kw_only=True)
class ShowOptions(Options):
    """Show one track: where it comes from, how long it is, its quality beside the limits."""

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """The track's .json or .npz"""

    def run(self) -> int:
        """Show and return the exit code: 1 if the track cannot be used."""
        config = self.config()
        track = load_track(self.file)
        _show(track_table(track, config))
        doubts = check_track(track, config, str(self.file))
        _tell([str(doubt) for doubt in doubts])
        return int(bool(doubts))


VERBS: dict[str, Callable[..., Options]] = {
    "import": ImportOptions,
    "generate": GenerateOptions,
    "reaches": ReachesOptions,
    "check": CheckOptions,
    "show": ShowOptions,
}


def main(argv: list[str]) -> int:
    """Import hand-object tracks, generate synthetic ones, check them, show one.

    Raises:
        HopError: arguments that do not fit, or nothing there to work on.
    """
    options: Options = tyro.extras.subcommand_cli_from_dict(
        VERBS, prog="hop tracks", description="Hand-object tracks.", args=argv
    )
    return options.run()


def _some_tracks(folder: Path) -> list[Path]:
    """Return the tracks of `folder`, at least one."""
    paths = list_tracks(folder)
    if not paths:
        raise TrackError(f"{folder}: holds no track; hop tracks generate makes some")
    return paths


def _make(jobs: Iterable[Job], folder: Path, config: TracksConfig) -> int:
    """Make tracks with a progress line; return 1 if one was refused or there is none at all."""
    waiting, console = list(jobs), Console(stderr=True)

    def told() -> Iterator[Outcome]:
        for result in run(waiting, folder, config):
            _tell(result.reasons, console)
            yield result.outcome

    counts = Counter(watched(told(), "tracks", len(waiting), console))
    ends = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
    print(f"{ends}; tracks are in {folder}")
    there = counts[Outcome.WRITTEN] + counts[Outcome.KEPT]
    return int(counts[Outcome.REFUSED] > 0 or not there)


def _judge(path: Path, config: TracksConfig) -> tuple[Track | None, list[str]]:
    """The track of `path` and what speaks against it; None if it cannot be read."""
    try:
        track = load_track(path)
    except TrackError as error:
        return None, [str(error)]
    return track, [str(doubt) for doubt in check_track(track, config, str(path))]


def _tell(sentences: Sequence[str], console: Console | None = None) -> None:
    """Say sentences on stderr, each on one line."""
    console = console or Console(stderr=True)
    for sentence in sentences:
        console.print(sentence, soft_wrap=True, markup=False, highlight=False)


def _show(table: Table) -> None:
    """Print a table; into a file or a pipe with nothing cut short."""
    console = table_console()
    console.print(table)
