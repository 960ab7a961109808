"""The offset between ROS time, which stamps messages, and the monotonic clock, which paces."""

from __future__ import annotations

import time
from collections.abc import Callable

S_PER_NS = 1e-9


class ClockOffset:
    """Converts ROS time to monotonic time and notices when the two drift apart by a step.

    A stamp is converted with the offset measured last. NTP slews slowly; a step means that somebody
    set the clock, and then every age that was computed across it is wrong.
    """

    def __init__(
        self,
        ros_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        step_limit_ns: int = 5_000_000,
    ) -> None:
        self._ros_ns = ros_ns
        self._monotonic_ns = monotonic_ns
        self._step_limit_ns = step_limit_ns
        self._offset_ns = self._measure()

    def _measure(self) -> int:
        """Returns ROS minus monotonic time: the narrowest of three brackets, against preemption."""
        best_width, best = None, 0
        for _ in range(3):
            before = self._monotonic_ns()
            ros = self._ros_ns()
            after = self._monotonic_ns()
            if best_width is None or after - before < best_width:
                best_width, best = after - before, ros - (before + after) // 2
        return best

    def check(self) -> bool:
        """Measures the offset again; returns False when it moved beyond the limit."""
        offset = self._measure()
        stepped = abs(offset - self._offset_ns) > self._step_limit_ns
        self._offset_ns = offset
        return not stepped

    def to_ros(self, monotonic_ns: int) -> int:
        """Returns the ROS stamp [ns] of a monotonic time [ns]."""
        return monotonic_ns + self._offset_ns
