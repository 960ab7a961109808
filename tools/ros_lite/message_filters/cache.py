"""The newest messages, by stamp."""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from typing import Any

from message_filters.simple_filter import SimpleFilter
from message_filters.stamps import NS_PER_S, arrival_stamp, stamp_ns

logger = logging.getLogger(__name__)


class Cache(SimpleFilter):
    """Keeps the latest messages of a filter, sorted by stamp, and passes them on.

    Args:
        f: the input, or None to use `add`.
        cache_size: number of messages kept.
        allow_headerless: whether a message without a header gets its arrival time as stamp.

    Raises:
        ValueError: when `cache_size` is below 1.
    """

    def __init__(
        self, f: SimpleFilter | None = None, cache_size: int = 1, allow_headerless: bool = False
    ) -> None:
        super().__init__()
        if cache_size < 1:
            raise ValueError(f"cache_size is {cache_size}, expected at least 1")
        self.cache_size = cache_size
        self.allow_headerless = allow_headerless
        self.cache_times: list[int] = []
        self.cache_msgs: list[Any] = []
        if f is not None:
            self.connectInput(f)

    def connectInput(self, f: SimpleFilter) -> None:
        """Take the messages of a filter."""
        self.incoming_connection = f.registerCallback(self.add)

    def add(self, msg: Any) -> None:
        """Insert a message by its stamp, drop the oldest one above the size, pass it on."""
        stamp = stamp_ns(msg)
        if stamp is None:
            if not self.allow_headerless:
                logger.warning("Cache got a message without header and does not allow it: dropped")
                return
            stamp = arrival_stamp().nanoseconds
        place = bisect_right(self.cache_times, stamp)
        self.cache_times.insert(place, stamp)
        self.cache_msgs.insert(place, msg)
        if len(self.cache_times) > self.cache_size:
            del self.cache_times[0], self.cache_msgs[0]
        self.signalMessage(msg)

    def getInterval(self, from_stamp: Any, to_stamp: Any) -> list[Any]:
        """Return the messages from `from_stamp` to `to_stamp` (rclpy Time), both included."""
        first = bisect_left(self.cache_times, from_stamp.nanoseconds)
        return self.cache_msgs[first : bisect_right(self.cache_times, to_stamp.nanoseconds)]

    def getElemAfterTime(self, stamp: Any) -> Any:
        """Return the oldest message at or after `stamp` (rclpy Time), or None."""
        place = bisect_left(self.cache_times, stamp.nanoseconds)
        return self.cache_msgs[place] if place < len(self.cache_msgs) else None

    def getElemBeforeTime(self, stamp: Any) -> Any:
        """Return the newest message at or before `stamp` (rclpy Time), or None."""
        place = bisect_right(self.cache_times, stamp.nanoseconds)
        return self.cache_msgs[place - 1] if place else None

    def getLatestTime(self) -> Any:
        """Return the newest stamp as an rclpy Time, or None."""
        return _time(self.cache_times[-1]) if self.cache_times else None

    def getOldestTime(self) -> Any:
        """Return the oldest stamp as an rclpy Time, or None."""
        return _time(self.cache_times[0]) if self.cache_times else None

    def getLast(self) -> Any:
        """Return the newest message, or None."""
        return self.cache_msgs[-1] if self.cache_msgs else None


def _time(nanoseconds: int) -> Any:
    from rclpy.clock import ClockType
    from rclpy.time import Time

    seconds, rest = divmod(nanoseconds, NS_PER_S)
    return Time(seconds=seconds, nanoseconds=rest, clock_type=ClockType.ROS_TIME)
