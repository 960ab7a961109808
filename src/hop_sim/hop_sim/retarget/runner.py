"""Where parts are worked on: what every runner does, and the one of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Protocol

from hop_core.closing import Closing
from hop_core.errors import HopError
from hop_sim.retarget.part import Part, Worker
from hop_sim.retarget.settings import RetargetSettings
from hop_sim.tracks.resample import Track20

_ATTEMPTS_AT_ONCE = 100  # of a task; attempts do not depend on how they are divided
_TASKS_AHEAD = 2  # for each worker

PendingPart = Callable[[], Part]
"""Waits for a part and returns it, or raises what came in between."""


@dataclass(frozen=True)
class Answer:
    """What came of the attempts at a track: all parts, or why it failed."""

    parts: list[Part]
    failure: HopError | None = None


class Runner(Protocol):
    """Works on tracks and answers in their order, holding few of them in memory."""

    def run(self, tracks: Iterable[Track20]) -> Iterator[Answer]:
        """Yield an answer for each of `tracks`."""


def divided(attempts: int) -> list[range]:
    """Return the numbers of `attempts` in tasks of a hundred."""
    starts = range(0, attempts, _ATTEMPTS_AT_ONCE)
    return [range(start, min(start + _ATTEMPTS_AT_ONCE, attempts)) for start in starts]


def answers(
    tracks: Iterable[Track20], submit: Callable[[Track20], list[PendingPart]], workers: int
) -> Iterator[Answer]:
    """Yield the answers for `tracks` in order, while tasks of the next ones are under way.

    Args:
        tracks: asked for as workers become free.
        submit: hands the tasks of a track out.
        workers: that work on tasks.
    """
    ahead: deque[list[PendingPart]] = deque()
    for track in tracks:
        ahead.append(submit(track))
        if sum(map(len, ahead)) > _TASKS_AHEAD * workers + len(ahead[0]):
            yield _answer(ahead.popleft())
    while ahead:
        yield _answer(ahead.popleft())


class LocalRunner(Closing):
    """Attempts by the hundred, on one worker for each thread of this process."""

    def __init__(self, settings: RetargetSettings, threads: int) -> None:
        """Build the workers.

        Raises:
            RetargetingError: see `Worker`.
        """
        self._ranges = divided(settings.engine.attempts)
        self._idle: SimpleQueue[Worker] = SimpleQueue()
        for _ in range(threads):
            self._idle.put(Worker(settings, threads=1))
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads)

    def run(self, tracks: Iterable[Track20]) -> Iterator[Answer]:
        """See `Runner.run`."""
        return answers(tracks, self._submit, self._threads)

    def _submit(self, track: Track20) -> list[PendingPart]:
        return [self._pool.submit(self._work, track, numbers).result for numbers in self._ranges]

    def _work(self, track: Track20, numbers: range) -> Part:
        worker = self._idle.get()
        try:
            return worker.work(track, numbers)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End after the tasks under way; those that wait are dropped."""
        self._pool.shutdown(cancel_futures=True)


def _answer(pending: Iterable[PendingPart]) -> Answer:
    try:
        return Answer([wait() for wait in pending])
    except HopError as failure:
        return Answer([], failure)
