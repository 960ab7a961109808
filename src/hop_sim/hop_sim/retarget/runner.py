"""Where parts are worked on: in this process, or on the machines of a Ray cluster."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from hop_core.errors import ConfigError, HopError
from hop_sim.retarget.part import Part, Worker
from hop_sim.retarget.settings import RetargetSettings
from hop_sim.tracks.resample import Track20

_ATTEMPTS_AT_ONCE = 100  # of a task for a cluster; attempts do not depend on how they are divided
_TASKS_AHEAD = 2  # for each of the cluster's workers


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
            yield _answer([partial(self._worker.work, track, range(self._attempts))])


class RayRunner:
    """Attempts by the hundred, on one worker per core of a Ray cluster.

    The cluster is the one that RAY_ADDRESS names, or a local one that ends with this runner.
    """

    def __init__(self, settings: RetargetSettings) -> None:
        """Join the cluster and start workers.

        Raises:
            ConfigError: Ray is not installed.
        """
        try:
            import ray
        except ImportError as error:
            raise ConfigError("--ray needs Ray: pip install -r requirements/ray.txt") from error
        self._ray: Any = ray
        ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False)
        count = max(1, int(ray.cluster_resources().get("CPU", 1)))
        actor = ray.remote(num_cpus=1)(Worker)
        self._workers = [actor.remote(settings, threads=1) for _ in range(count)]
        attempts = settings.engine.attempts
        self._ranges = [
            range(start, min(start + _ATTEMPTS_AT_ONCE, attempts))
            for start in range(0, attempts, _ATTEMPTS_AT_ONCE)
        ]

    def run(self, tracks: Iterable[Track20]) -> Iterator[Answer]:
        """See `Runner.run`."""
        ahead: deque[list[Any]] = deque()
        turn = 0
        for track in tracks:
            reference = self._ray.put(track)
            tasks = []
            for numbers in self._ranges:
                worker = self._workers[turn % len(self._workers)]
                tasks.append(worker.work.remote(reference, numbers))
                turn += 1
            ahead.append(tasks)
            if sum(map(len, ahead)) > _TASKS_AHEAD * len(self._workers):
                yield self._collect(ahead.popleft())
        while ahead:
            yield self._collect(ahead.popleft())

    def _collect(self, tasks: list[Any]) -> Answer:
        return _answer([partial(self._ray.get, task) for task in tasks])

    def __enter__(self) -> RayRunner:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the cluster; a local one ends."""
        self._ray.shutdown()


def _answer(calls: Iterable[Callable[[], Part]]) -> Answer:
    try:
        return Answer([call() for call in calls])
    except HopError as failure:
        return Answer([], failure)
