"""Where parts are worked on: what every runner does, and the one of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from hop_core.errors import HopError
from hop_sim.retarget.part import Part, Worker
from hop_sim.retarget.settings import RetargetSettings
from hop_sim.tracks.resample import Track20


@dataclass(frozen=True)
class Answer:
    """What came of the attempts at a track: all parts, or why it failed."""

    parts: list[Part]
    failure: HopError | None = None


class Runner(Protocol):
    """Works on tracks and answers in their order, holding few of them in memory."""

    def run(self, tracks: Iterable[Track20]) -> Iterator[Answer]:
        """Yield an answer for each of `tracks`."""


class LocalRunner:
    """All attempts at a track at once, on the threads of this process."""

    def __init__(self, settings: RetargetSettings, threads: int) -> None:
        """Build the engine."""
        self._attempts = settings.engine.attempts
        self._worker = Worker(settings, threads)

    def run(self, tracks: Iterable[Track20]) -> Iterator[Answer]:
        """See `Runner.run`."""
        for track in tracks:
            yield answer_of([partial(self._worker.work, track, range(self._attempts))])


def answer_of(calls: Iterable[Callable[[], Part]]) -> Answer:
    """Return the parts that `calls` give, or the first failure that a person can mend."""
    try:
        return Answer([call() for call in calls])
    except HopError as failure:
        return Answer([], failure)
