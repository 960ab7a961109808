"""`hop view`: look at a hand-object track or at a robot trajectory, in the browser or as a PNG."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hop_core.ending_signals import on_ending_signal
from hop_core.errors import ConfigError
from hop_core.retargeting.config import load_retarget
from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.files import load_track
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.view.drawing import Drawing, Layer
from hop_sim.view.episodes import Choice, Episodes
from hop_sim.view.track_drawing import draw_track

_LAST_PORT = 65535
_Layers = Annotated[tuple[Layer, ...], tyro.conf.EnumChoicesFromValues]


@dataclass(frozen=True, kw_only=True)
class Options(ABC):
    """What both verbs share."""

    host: str = "127.0.0.1"
    """Address to serve the page at; another machine sees it only at an address of this one's
    network, and so does everybody there."""
    port: int = 8080
    """Port to serve the page at; 0: any free one."""
    frame: int | None = None
    """Frame to begin with, from 0; default: the first, in a snapshot one with contact."""
    snapshot: Path | None = None
    """Write a PNG of one frame instead of serving a page."""
    frames: int | None = None
    """Snapshot of so many frames side by side, from the first to the last."""
    show: _Layers = ()
    """Layers to show that are hidden at first."""
    hide: _Layers = ()
    """Layers to hide at first."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""

    def require_sound(self) -> None:
        """Pass if the options fit each other.

        Raises:
            ConfigError: they do not.
        """
        if not 0 <= self.port <= _LAST_PORT:
            raise ConfigError(f"--port must be from 0 to {_LAST_PORT}, got {self.port}")
        if self.frames is not None and (self.snapshot is None or self.frame is not None):
            raise ConfigError("--frames goes with --snapshot and without --frame")

    def shown(self, drawing: Drawing) -> frozenset[Layer]:
        """Return the layers that are visible at first."""
        return (frozenset(Layer) - drawing.hidden | set(self.show)) - set(self.hide)

    @abstractmethod
    def drawings(self) -> tuple[Callable[[int], Drawing], int, int]:
        """Return what makes the drawing of a number, how many there are, and which is first."""


@dataclass(frozen=True, kw_only=True)
class TrackOptions(Options):
    """Look at a hand-object track as it will be retargeted: smoothed, at 20 Hz, slowed down."""

    track: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TRACK")]
    """The track's .json or .npz, or FOLDER/NAME"""

    def drawings(self) -> tuple[Callable[[int], Drawing], int, int]:
        """Return the one drawing of the track."""
        filters = load_tracks_config(self.config_dir).filters
        track = load_track(self.track)
        return (lambda _number: draw_track(track, filters)), 1, 0


@dataclass(frozen=True, kw_only=True)
class TrajectoryOptions(Options):
    """Look at the robot trajectories of a store, one after the other.

    With --tracks the human hand is drawn beside the robot.
    """

    store: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STORE")]
    """Folder of the store, or a URL"""
    track: str | None = None
    """Begin with a trajectory of this track; default: with the first of the store."""
    attempt: int | None = None
    """With --track: number of the attempt; default: the first that was kept."""
    index: int | None = None
    """Begin with the trajectory of this number in the store, from 0."""
    tracks: Path | None = None
    """Folder of the tracks that the trajectories follow."""

    def drawings(self) -> tuple[Callable[[int], Drawing], int, int]:
        """Return the drawings of the store's trajectories."""
        episodes = Episodes(
            TrajectoryStore.open(self.store),
            load_retarget(self.config_dir),
            load_tracks_config(self.config_dir).filters,
            self.tracks,
        )
        first = episodes.find(Choice(self.track, self.attempt, self.index))
        return episodes.drawing, len(episodes), first


VERBS: dict[str, Callable[..., Options]] = {"track": TrackOptions, "trajectory": TrajectoryOptions}


def main(argv: list[str]) -> int:
    """Look at a hand-object track or a robot trajectory; in the browser, or as a PNG.

    Raises:
        HopError: options that do not fit, nothing there to look at, or a port in use.
    """
    options: Options = tyro.extras.subcommand_cli_from_dict(
        VERBS, prog="hop view", description="Tracks and trajectories to look at.", args=argv
    )
    options.require_sound()
    open_drawing, count, first = options.drawings()
    drawing = open_drawing(first)
    frame = options.frame or 0
    if not 0 <= frame < len(drawing):
        raise ConfigError(
            f"--frame {frame}: {drawing.title} has {len(drawing)} frames, from 0 to "
            f"{len(drawing) - 1}"
        )
    if options.snapshot is not None:
        return _snapshot(options, drawing, options.snapshot)
    return _serve(options, open_drawing, count, first, drawing)


def _snapshot(options: Options, drawing: Drawing, path: Path) -> int:
    """Write the PNG."""
    from hop_sim.view.snapshot import save_snapshot, spread_frames

    count = 1 if options.frames is None else options.frames
    frames = spread_frames(drawing, count) if options.frame is None else (options.frame,)
    save_snapshot(drawing, frames, path, options.shown(drawing))
    print(f"{path}: {drawing.title}, frame {', '.join(map(str, frames))}")
    return 0


def _serve(
    options: Options,
    open_drawing: Callable[[int], Drawing],
    count: int,
    first: int,
    drawing: Drawing,
) -> int:
    """Serve the page until Ctrl-C."""
    from hop_sim.view.page import Page  # viser with its web server: a snapshot needs none
    from hop_sim.view.server import local_server

    with local_server(options.host, options.port) as server:
        page = Page(server, open_drawing, count, options.shown(drawing))
        page.show(first, drawing, options.frame or 0)
        on_ending_signal(page.end)
        address = f"http://{options.host}:{server.get_port()}"
        print(f"{drawing.title} at {address} ; stop with Ctrl-C", flush=True)
        page.run()
    return 0
