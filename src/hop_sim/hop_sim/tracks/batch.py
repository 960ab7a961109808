"""Makes many tracks, one after another: what is there is kept, what fails is told, others go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hop_core.errors import TrackError, TrackWriteError
from hop_sim.tracks.check import check_track
from hop_sim.tracks.config import TracksConfig
from hop_sim.tracks.files import read_about, save_track
from hop_sim.tracks.track import Track


class Outcome(StrEnum):
    """How one job ended."""

    WRITTEN = "written"
    KEPT = "kept"
    """Its track was there already."""
    PASSED_OVER = "passed over"
    """The source holds it, but it is of a kind that is not wanted, such as a left hand."""
    REFUSED = "refused"


class PassedOver(Exception):
    """A job's recording is of a kind that is not wanted; the message says which."""


@dataclass(frozen=True)
class Job:
    """One track to be made.

    Attributes:
        name: of the track.
        where: file or folder that it is made from, for messages.
        settings: hash of what it is made with: the configuration, and the recording where a name
            alone does not tell which.
        make: makes the track; raises TrackError, or PassedOver.
    """

    name: str
    where: str
    settings: str
    make: Callable[[], Track]


@dataclass(frozen=True)
class Result:
    """How a job ended; `reasons` are sentences, empty if there is a track."""

    name: str
    outcome: Outcome
    reasons: tuple[str, ...] = ()


def run(jobs: Iterable[Job], folder: Path, config: TracksConfig) -> Iterator[Result]:
    """Make the tracks of `jobs` into `folder`, one in memory at a time; yield how each ended.

    A track that is not well-formed or fails `check_track` is not written.

    Raises:
        TrackWriteError: the disk refuses.
    """
    for job in jobs:
        yield _run_one(job, folder, config)


def _run_one(job: Job, folder: Path, config: TracksConfig) -> Result:
    path = folder / f"{job.name}.json"
    try:
        if path.exists():
            _require_same_settings(path, job)
            return Result(job.name, Outcome.KEPT)
        track = job.make()
        doubts = check_track(track, config, job.where)
        if doubts:
            return Result(job.name, Outcome.REFUSED, tuple(map(str, doubts)))
        save_track(track, folder)
    except PassedOver as reason:
        return Result(job.name, Outcome.PASSED_OVER, (str(reason),))
    except TrackWriteError:
        raise
    except TrackError as error:
        return Result(job.name, Outcome.REFUSED, (str(error),))
    return Result(job.name, Outcome.WRITTEN)


def _require_same_settings(path: Path, job: Job) -> None:
    if read_about(path).meta.settings != job.settings:
        raise TrackError(
            f"{path}: meta.settings: the track was made with another configuration, or not from "
            f"{job.where} as it is; choose another folder or remove it"
        )
