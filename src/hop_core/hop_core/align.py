"""Time alignment: which sample of each stream a tick may use; one rule, online and offline."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Generic, TypeVar

from hop_core.errors import AlignmentError

T = TypeVar("T")


class AsOfBuffer(Generic[T]):
    """The newest samples of one stream, sorted by stamp; filled by one thread, read by another."""

    def __init__(self, capacity: int) -> None:
        """Keep at most `capacity` samples; the oldest leave first.

        Raises:
            AlignmentError: `capacity` is below 1.
        """
        if capacity < 1:
            raise AlignmentError(
                f"a buffer needs room for at least one sample, got capacity {capacity}"
            )
        self._capacity = capacity
        self._stamps: list[int] = []
        self._items: list[T] = []
        self._lock = threading.Lock()

    def insert(self, stamp_ns: int, item: T) -> None:
        """Add a sample; one with the same stamp replaces the earlier, late ones are sorted in."""
        with self._lock:
            at = bisect_left(self._stamps, stamp_ns)
            if at < len(self._stamps) and self._stamps[at] == stamp_ns:
                self._items[at] = item
                return
            self._stamps.insert(at, stamp_ns)
            self._items.insert(at, item)
            if len(self._stamps) > self._capacity:
                del self._stamps[0], self._items[0]

    def as_of(self, t_ns: int) -> tuple[int, T] | None:
        """Return (stamp, sample) of the newest sample with stamp <= `t_ns`, or None."""
        with self._lock:
            at = bisect_right(self._stamps, t_ns)
            return (self._stamps[at - 1], self._items[at - 1]) if at else None

    def clear(self) -> None:
        """Forget every sample."""
        with self._lock:
            self._stamps.clear()
            self._items.clear()

    def __len__(self) -> int:
        """Return the number of samples held."""
        return len(self._stamps)


@dataclass(frozen=True)
class StreamRule:
    """What a tick may use of one stream.

    At tick t that is the newest sample with stamp <= t - `lag_ns`, if its age t - stamp is at most
    `max_age_ns`.

    Attributes:
        lag_ns: measured, fixed delay of the stream, so that the sample has always arrived by t.
        max_age_ns: oldest usable sample, counted from t.
        capacity: samples kept.
    """

    lag_ns: int
    max_age_ns: int
    capacity: int = 200


class TickAligner(Generic[T]):
    """The streams of an observation, and the samples that a tick uses."""

    def __init__(self, rules: dict[str, StreamRule]) -> None:
        """Make one buffer for each stream of `rules`."""
        self.rules = rules
        self._buffers: dict[str, AsOfBuffer[T]] = {
            name: AsOfBuffer(rule.capacity) for name, rule in rules.items()
        }
        self._used_until = dict.fromkeys(rules, -1)
        self.late = dict.fromkeys(rules, 0)

    def insert(self, stream: str, stamp_ns: int, item: T) -> None:
        """Add a sample to `stream`; one that a past tick should have used is counted in `late`."""
        if stamp_ns <= self._used_until[stream]:
            self.late[stream] += 1
        self._buffers[stream].insert(stamp_ns, item)

    def select(self, t_ns: int) -> dict[str, tuple[int, T]]:
        """Return {stream: (stamp, sample)} that the tick at `t_ns` uses.

        Raises:
            AlignmentError: a stream has nothing, or nothing fresh enough; the message names it and
                its age.
        """
        chosen = {}
        for name, rule in self.rules.items():
            found = self._buffers[name].as_of(t_ns - rule.lag_ns)
            if found is None:
                raise AlignmentError(f"{name}: no sample yet")
            age_ns = t_ns - found[0]
            if age_ns > rule.max_age_ns:
                limit_ms = rule.max_age_ns / 1e6
                raise AlignmentError(
                    f"{name}: {age_ns / 1e6:.0f} ms old, the limit is {limit_ms:.0f} ms"
                )
            chosen[name] = found
        for name, rule in self.rules.items():
            self._used_until[name] = t_ns - rule.lag_ns
        return chosen

    def clear(self) -> None:
        """Forget every sample of every stream."""
        for name, buffer in self._buffers.items():
            buffer.clear()
            self._used_until[name] = -1
