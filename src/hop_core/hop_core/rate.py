"""Periodic loops on absolute monotonic deadlines, and figures that tell whether they hold."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


class QuantileRing:
    """The last `capacity` figures of a series, for quantiles; adding one allocates nothing."""

    def __init__(self, capacity: int = 4096) -> None:
        """Reserve the ring."""
        self._values = np.zeros(capacity)
        self._count = 0

    def add(self, value: float) -> None:
        """Add a figure, forgetting the oldest when full."""
        self._values[self._count % len(self._values)] = value
        self._count += 1

    def quantile(self, q: float) -> float:
        """Return the q-quantile of the figures held, NaN when there are none."""
        held = self._values[: min(self._count, len(self._values))]
        return float(np.quantile(held, q)) if len(held) else float("nan")

    def __len__(self) -> int:
        """Return how many figures were added in all."""
        return self._count


@dataclass(frozen=True)
class LoopStats:
    """How a loop kept its time.

    Attributes:
        hz: ticks run over the time since the first.
        ticks: ticks run.
        missed: deadlines that were skipped because the loop was late by a period or more.
        late_p50_ms, late_p99_ms: lateness of the wake-up after its deadline.
    """

    hz: float
    ticks: int
    missed: int
    late_p50_ms: float
    late_p99_ms: float


class DeadlineLoop:
    """Calls `step(deadline_ns)` in its own thread, once a period.

    Missed deadlines are skipped and counted, never made up in a burst.
    """

    def __init__(
        self,
        period_ns: int,
        step: Callable[[int], None],
        name: str,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        """Prepare the loop.

        Args:
            period_ns: period of the deadlines.
            step: gets the monotonic deadline [ns] that it answers.
            name: name of the thread.
            prepare: called in the thread before the first deadline is set: what must be warm there.
        """
        self.period_ns = period_ns
        self._step = step
        self._prepare = prepare
        self._late_ms = QuantileRing()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._ticks = self._missed = 0
        self._first_ns = self._last_ns = 0
        self.error: BaseException | None = None

    def start(self) -> None:
        """Start the thread; the first tick comes one period later."""
        self._thread.start()

    def stop(self, timeout_s: float = 2.0) -> None:
        """Ask the loop to end and wait for it."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)

    @property
    def running(self) -> bool:
        """Whether the thread is alive; a step that raised ends it and leaves `error`."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            if self._prepare is not None:
                self._prepare()
            self._loop()
        except BaseException as error:
            # Kept for the owner, who must fault: a dead loop may not pass for a live one.
            self.error = error
            raise

    def _loop(self) -> None:
        deadline = time.monotonic_ns() + self.period_ns
        while not self._stop.is_set():
            wait = deadline - time.monotonic_ns()
            if wait > 0:
                time.sleep(wait * 1e-9)
            late = time.monotonic_ns() - deadline
            if late >= self.period_ns:
                skipped = late // self.period_ns
                self._missed += skipped
                deadline += skipped * self.period_ns
                late -= skipped * self.period_ns
            if self._stop.is_set():
                return
            self._late_ms.add(late * 1e-6)
            self._first_ns = self._first_ns or deadline
            self._last_ns = deadline
            self._ticks += 1
            self._step(deadline)
            deadline += self.period_ns

    def stats(self) -> LoopStats:
        """Return the figures since the start."""
        span_s = (self._last_ns - self._first_ns) * 1e-9
        hz = (self._ticks - 1) / span_s if span_s > 0 else 0.0
        return LoopStats(
            hz, self._ticks, self._missed, self._late_ms.quantile(0.5), self._late_ms.quantile(0.99)
        )
