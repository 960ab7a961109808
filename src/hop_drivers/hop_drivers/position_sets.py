"""The hand's stream of position sets: joined from four messages each, and counted."""

from __future__ import annotations

import numpy as np

from hop_core.clock import S_PER_NS
from hop_core.rate import QuantileRing
from hop_drivers.allegro_can import JOINTS, RAD_PER_COUNT, decode_finger

_BACKLOG_SHARE = 1.0 / 3.0
_LONGEST_DT_S = 0.03
_STALL_PERIODS = 2.0
_SPAN_PERIODS = 0.8  # four frames of one set are less apart, even if a hand spreads them evenly


class PositionAssembler:
    """Joins the four finger messages of one period into a set of 16 angles.

    A frame was lost where a finger repeats before the set is complete, or where a frame is later
    than those of one period can be apart: the half set is dropped and counted.
    """

    def __init__(self, period_s: float) -> None:
        self._longest_s = _SPAN_PERIODS * period_s
        self._counts = np.zeros(JOINTS)
        self._seen = 0
        self._begun_s = 0.0
        self.incomplete_sets = 0

    def add(self, finger: int, data: bytes, stamp_s: float) -> np.ndarray | None:
        """Takes one position message, which the bus had at `stamp_s`, by any clock [s].

        Returns the (16,) angles [rad] when it completes a set, else None.
        """
        bit = 1 << finger
        late = self._seen and abs(stamp_s - self._begun_s) > self._longest_s
        if late or self._seen & bit:
            self.incomplete_sets += 1
            self._seen = 0
        if not self._seen:
            self._begun_s = stamp_s
        self._counts[4 * finger : 4 * finger + 4] = decode_finger(data)
        self._seen |= bit
        if self._seen != 0b1111:
            return None
        self._seen = 0
        return self._counts * RAD_PER_COUNT  # the caller's own: the next set is on its way already


class SetClock:
    """Counts the sets of a periodic stream.

    Those that came, those that are missing, those that came in a burst.

    A stall of this process delays sets and then delivers them together: a late set opens a debt
    that the burst repays; what remains open is missing.

    Attributes:
        stalled: whether the newest set came so late that others may wait behind it.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._last_ns: int | None = None
        self.sets = 0
        self.bursts = 0
        self.missing = 0
        self.stalled = False
        self.gap_ms = QuantileRing()

    def reset(self) -> None:
        """Start anew after a reconnect; the counts go on."""
        self._last_ns = None

    def add(self, now_ns: int) -> float | None:
        """Takes the arrival of a set.

        Returns the time since the last one [s], or None for a set of a burst: skip it.
        """
        self.stalled = False
        if self._last_ns is None:
            self.sets += 1
            self._last_ns = now_ns
            return self._period_s
        gap_s = (now_ns - self._last_ns) * S_PER_NS
        if gap_s < _BACKLOG_SHARE * self._period_s:
            self.skip(1)
            return None
        self.sets += 1
        self._last_ns = now_ns
        self.gap_ms.add(1e3 * gap_s)
        self.missing += max(0, round(gap_s / self._period_s) - 1)
        self.stalled = gap_s > _STALL_PERIODS * self._period_s
        return min(gap_s, _LONGEST_DT_S)

    def skip(self, count: int) -> None:
        """Count sets that came in a burst and are not answered."""
        self.sets += count
        self.bursts += count
        self.missing = max(0, self.missing - count)
