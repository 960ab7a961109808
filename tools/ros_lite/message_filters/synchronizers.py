"""Sets of messages of the same time, one from each input."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from itertools import product
from typing import Any

from message_filters.simple_filter import SimpleFilter
from message_filters.stamps import NS_PER_S, arrival_stamp, stamp_ns

logger = logging.getLogger(__name__)


class TimeSynchronizer(SimpleFilter):
    """Passes on the messages whose stamps are equal in all inputs.

    Args:
        fs: the inputs.
        queue_size: number of messages kept of each input.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.queues: list[dict[int, Any]] = [{} for _ in fs]
        self.input_connections = [
            f.registerCallback(self.add, queue) for f, queue in zip(fs, self.queues, strict=True)
        ]

    def add(self, msg: Any, my_queue: dict[int, Any]) -> None:
        """Take a message of one input."""
        stamp = self.stamp_of(msg)
        if stamp is None:
            return
        with self.lock:
            my_queue[stamp] = msg
            while len(my_queue) > self.queue_size:
                del my_queue[min(my_queue)]
            stamps = self.match(stamp, my_queue)
            if stamps is None:
                return
            matched = [queue.pop(each) for queue, each in zip(self.queues, stamps, strict=True)]
            self.signalMessage(*matched)
            for queue, each in zip(self.queues, stamps, strict=True):
                self.forget(queue, each)

    def stamp_of(self, msg: Any) -> int | None:
        """Return the stamp [ns] by which a message is matched, or None to drop it."""
        stamp = stamp_ns(msg)
        if stamp is None:
            logger.warning("a message without header cannot be synchronized: dropped")
        return stamp

    def match(self, stamp: int, my_queue: dict[int, Any]) -> list[int] | None:
        """Return a stamp for each queue that form a set with the new message, or None."""
        return [stamp] * len(self.queues) if all(stamp in q for q in self.queues) else None

    def forget(self, queue: dict[int, Any], stamp: int) -> None:
        """Drop what cannot form a set any more after one with `stamp`: here, what is older."""
        for older in [each for each in queue if each < stamp]:
            del queue[older]


class ApproximateTimeSynchronizer(TimeSynchronizer):
    """Passes on messages whose stamps lie closer together than `slop`, the nearest first.

    Args:
        fs: the inputs.
        queue_size: number of messages kept of each input.
        slop: in seconds.
        allow_headerless: whether a message without a header gets its arrival time as stamp.
        sync_arrival_time: whether arrival times are used for all messages.
    """

    def __init__(
        self,
        fs: Sequence[SimpleFilter],
        queue_size: int,
        slop: float,
        allow_headerless: bool = False,
        sync_arrival_time: bool = False,
    ) -> None:
        super().__init__(fs, queue_size)
        self.slop_ns = round(slop * NS_PER_S)
        self.allow_headerless = allow_headerless
        self.sync_arrival_time = sync_arrival_time

    def stamp_of(self, msg: Any) -> int | None:
        """Return the stamp [ns]: the header's, or the arrival time."""
        if self.sync_arrival_time or (self.allow_headerless and stamp_ns(msg) is None):
            return int(arrival_stamp().nanoseconds)
        return super().stamp_of(msg)

    def match(self, stamp: int, my_queue: dict[int, Any]) -> list[int] | None:
        """Return the nearest set that holds the new message, or None."""
        candidates = [
            [stamp] if queue is my_queue else self._near(queue, stamp) for queue in self.queues
        ]
        for stamps in product(*candidates):
            if max(stamps) - min(stamps) < self.slop_ns or len(set(stamps)) == 1:
                return list(stamps)
        return None

    def _near(self, queue: dict[int, Any], stamp: int) -> list[int]:
        near = [each for each in queue if abs(each - stamp) <= self.slop_ns]
        return sorted(near, key=lambda each: abs(each - stamp))

    def forget(self, queue: dict[int, Any], stamp: int) -> None:
        """Keep the rest: another input may still match it, as upstream."""
