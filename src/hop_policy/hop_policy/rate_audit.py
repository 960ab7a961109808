"""Per-topic rate audit: did each stream arrive as often and as regularly as it should have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

_NS_PER_S = 1e9


@dataclass(frozen=True)
class RateLimits:
    """When a stream counts as broken.

    Attributes:
        expected_hz: nominal rate; 0 for a topic that is sent on events and is not judged.
        required: whether an episode without a single message of it is broken.
        tolerance: accepted deviation of the mean rate, as a fraction.
        max_gap_s: longest accepted pause between two messages.
    """

    expected_hz: float
    required: bool
    tolerance: float
    max_gap_s: float


@dataclass(frozen=True)
class TopicAudit:
    """Result of one topic.

    Attributes:
        topic: its name.
        count: number of messages.
        expected_hz: nominal rate, 0 if not judged.
        achieved_hz: (count - 1) over the time from its first to its last message.
        max_gap_s: longest pause, the pauses at start and end of a required stream included.
        ok: whether it is within the limits.
    """

    topic: str
    count: int
    expected_hz: float
    achieved_hz: float
    max_gap_s: float
    ok: bool

    def as_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form, rounded to what the clock supports."""
        return asdict(self) | {
            "achieved_hz": round(self.achieved_hz, 3),
            "max_gap_s": round(self.max_gap_s, 6),
        }


class RateMeter:
    """Counts one topic; constant memory, two comparisons per message."""

    def __init__(self) -> None:
        self.count = 0
        self._first_ns = 0
        self._last_ns = 0
        self._max_gap_ns = 0

    def add(self, stamp_ns: int) -> None:
        """Count a message received at `stamp_ns` (ROS time)."""
        if self.count:
            self._max_gap_ns = max(self._max_gap_ns, stamp_ns - self._last_ns)
        else:
            self._first_ns = stamp_ns
        self._last_ns = stamp_ns
        self.count += 1

    def audit(self, topic: str, limits: RateLimits, start_ns: int, end_ns: int) -> TopicAudit:
        """Return the result over an episode.

        Args:
            topic: name for the result.
            limits: what is accepted.
            start_ns: first receive time of the whole episode.
            end_ns: last receive time of the whole episode.
        """
        gap_ns = self._max_gap_ns
        if limits.required and self.count:
            gap_ns = max(gap_ns, self._first_ns - start_ns, end_ns - self._last_ns)
        span_ns = self._last_ns - self._first_ns
        achieved_hz = (self.count - 1) * _NS_PER_S / span_ns if span_ns > 0 else 0.0
        return TopicAudit(
            topic=topic,
            count=self.count,
            expected_hz=limits.expected_hz,
            achieved_hz=achieved_hz,
            max_gap_s=gap_ns / _NS_PER_S,
            ok=self._within(limits, achieved_hz, gap_ns / _NS_PER_S),
        )

    def _within(self, limits: RateLimits, achieved_hz: float, gap_s: float) -> bool:
        if not self.count:
            return not limits.required
        if limits.expected_hz == 0.0:
            return True
        if self.count < 2:  # no rate; it may have died after its first message
            return gap_s <= limits.max_gap_s
        off = abs(achieved_hz / limits.expected_hz - 1.0)  # too fast: a second publisher
        return off <= limits.tolerance and gap_s <= limits.max_gap_s


_UNJUDGED = RateLimits(expected_hz=0.0, required=False, tolerance=0.5, max_gap_s=float("inf"))


class EpisodeRates:
    """Counts all topics of an episode."""

    def __init__(self) -> None:
        self._meters: dict[str, RateMeter] = {}
        self._first_ns = 2**63 - 1
        self._last_ns = 0

    @property
    def counts(self) -> dict[str, int]:
        """Number of messages of each topic that one came of."""
        return {topic: meter.count for topic, meter in self._meters.items()}

    def add(self, topic: str, stamp_ns: int) -> None:
        """Count a message of `topic` received at `stamp_ns` (ROS time)."""
        self._meters.setdefault(topic, RateMeter()).add(stamp_ns)
        self._first_ns = min(self._first_ns, stamp_ns)
        self._last_ns = max(self._last_ns, stamp_ns)

    def audit(self, limits: Mapping[str, RateLimits]) -> list[TopicAudit]:
        """Return the result of each topic in `limits`, then of the others, not judged."""
        return [
            self._meters.get(name, RateMeter()).audit(
                name, limits.get(name, _UNJUDGED), self._first_ns, self._last_ns
            )
            for name in dict.fromkeys([*limits, *self._meters])
        ]
