"""Retargets many tracks into a store: what is there is kept, what fails is told, others go on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hop_core.errors import TrackError, TrackRefusedError
from hop_sim.retarget.part import TRACK_DIGEST, gather
from hop_sim.retarget.runner import Runner
from hop_sim.retarget.scaling import scaled
from hop_sim.retarget.settings import RetargetSettings
from hop_sim.tracks.check import check_track
from hop_sim.tracks.files import load_track
from hop_sim.tracks.resample import Track20, resample
from hop_sim.tracks.track import Track
from hop_sim.trajectories.writer import TrajectoryWriter


@dataclass(frozen=True)
class TrackOutcome:
    """How one track ended.

    Attributes:
        name: of the track, or of the file that gave none.
        attempts, kept_any, kept_contact: counts; 0 if it failed.
        was_there: whether the store had it already.
        reasons: why it failed, in sentences; empty if it did not.
    """

    name: str
    attempts: int = 0
    kept_any: int = 0
    kept_contact: int = 0
    was_there: bool = False
    reasons: tuple[str, ...] = ()


def retarget_tracks(
    files: Sequence[Path], writer: TrajectoryWriter, runner: Runner, settings: RetargetSettings
) -> Iterator[TrackOutcome]:
    """Retarget the tracks in `files` into the store of `writer`; yield how each ended.

    Raises:
        TrajectoryError: the store cannot be written; what it has is whole.
    """
    first: dict[str, Path] = {}
    waiting: deque[_Loaded] = deque()
    refused: deque[TrackOutcome] = deque()

    def tracks() -> Iterator[Track20]:
        for file in files:
            loaded = _load(file, writer, settings, first)
            if isinstance(loaded, TrackOutcome):
                refused.append(loaded)
            else:
                waiting.append(loaded)
                yield loaded.track20

    for answer in runner.run(tracks()):
        while refused:
            yield refused.popleft()
        loaded = waiting.popleft()
        if answer.failure is not None:
            yield loaded.failed(answer.failure)
            continue
        result = gather(loaded.track, loaded.track20, answer.parts, settings, loaded.digest)
        try:
            writer.append_track(result)
        except TrackRefusedError as error:
            yield loaded.failed(error)
            continue
        metrics = [trajectory.metrics for trajectory in result.trajectories]
        yield TrackOutcome(
            name=loaded.track.name,
            attempts=result.attempts,
            kept_any=sum(each.kept_any for each in metrics),
            kept_contact=sum(each.kept_contact for each in metrics),
        )
    yield from refused


@dataclass(frozen=True)
class _Loaded:
    """A track that is being worked on; `digest` is that of the file's."""

    file: Path
    track: Track
    track20: Track20
    digest: str

    def failed(self, why: Exception) -> TrackOutcome:
        """The outcome of a track that nothing came of."""
        return TrackOutcome(self.track.name, reasons=(f"{self.file}: {why}",))


def _load(
    file: Path, writer: TrajectoryWriter, settings: RetargetSettings, first: dict[str, Path]
) -> _Loaded | TrackOutcome:
    """The track of `file`, or why it is not worked on; `first` gets which file had each name."""
    try:
        track = load_track(file)
        if first.setdefault(track.name, file) != file:
            other = first[track.name]
            raise TrackError(f"{file}: name: is that of {other} too; give tracks different names")
        digest = track.digest
        there = writer.tracks.get(track.name)
        if there is not None:
            # Stores of before have no digest: of them it cannot be told.
            if there.info.provenance.get(TRACK_DIGEST, digest) != digest:
                raise TrackError(
                    f"{file}: the store has another track of the name '{track.name}'; give this "
                    "one another name, or retarget it into another store"
                )
            return TrackOutcome(track.name, was_there=True)
        doubts = check_track(track, settings.tracks, str(file))
        if doubts:
            return TrackOutcome(track.name, reasons=tuple(map(str, doubts)))
        track = scaled(track, settings.eq1.scale)
        track20 = resample(track, settings.tracks.filters)
    except TrackError as error:
        return TrackOutcome(file.stem, reasons=(str(error),))
    return _Loaded(file, track, track20, digest)
