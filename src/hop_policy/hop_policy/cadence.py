"""Whether a policy kept its pace: the figures that the policy node publishes and prints."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from hop_core.rate import LoopStats, QuantileRing

_MS = 1e-6


@dataclass(frozen=True)
class CadenceReport:
    """Pace of one run of the policy.

    Attributes:
        ticks: deadlines that the loop reached.
        targets: targets sent.
        policy_hz: rate of the loop over the run.
        missed_ticks: deadlines skipped because the loop was late by a period or more.
        refused_ticks: ticks without a usable observation, by reason.
        late_observations: messages that came after the tick that should have used them, by stream.
        bad_messages: messages that could not be decoded, by stream.
        tick_to_target_p50_ms, tick_to_target_p99_ms: from a tick's deadline to its target sent.
        forward_p50_ms, forward_p99_ms: the network alone.
    """

    ticks: int
    targets: int
    policy_hz: float
    missed_ticks: int
    refused_ticks: Mapping[str, int]
    late_observations: Mapping[str, int]
    bad_messages: Mapping[str, int]
    tick_to_target_p50_ms: float
    tick_to_target_p99_ms: float
    forward_p50_ms: float
    forward_p99_ms: float

    def as_json(self) -> bytes:
        """Return a line of JSON: numbers to three places, null for what no tick told."""
        figures = {
            key: _rounded(value) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }
        return (json.dumps(figures) + "\n").encode()

    def as_text(self) -> dict[str, str]:
        """Return flat strings for /hop/state and /diagnostics."""
        return {
            key: _join(value) if isinstance(value, Mapping) else f"{value:.6g}"
            for key, value in asdict(self).items()
        }

    def table(self) -> str:
        """Return the report for a terminal, one figure a line."""
        return "\n".join(f"  {key:24} {value}" for key, value in self.as_text().items())


class CadenceMeter:
    """Collects the figures within the tick; nothing here grows or allocates."""

    def __init__(self) -> None:
        self.targets = 0
        self.refused: Counter[str] = Counter()
        self._tick_to_target_ms = QuantileRing()
        self._forward_ms = QuantileRing()

    def answered(self, tick_to_target_ns: int, forward_ns: int) -> None:
        """Count a target sent.

        Args:
            tick_to_target_ns: from the tick's deadline to the target sent.
            forward_ns: the network alone.
        """
        self.targets += 1
        self._tick_to_target_ms.add(tick_to_target_ns * _MS)
        self._forward_ms.add(forward_ns * _MS)

    def report(
        self, loop: LoopStats, late: Mapping[str, int], bad: Mapping[str, int]
    ) -> CadenceReport:
        """Return the figures so far, with those of the loop and of the streams."""
        return CadenceReport(
            ticks=loop.ticks,
            targets=self.targets,
            policy_hz=loop.hz,
            missed_ticks=loop.missed,
            refused_ticks=dict(self.refused),
            late_observations=dict(late),
            bad_messages=dict(bad),
            tick_to_target_p50_ms=self._tick_to_target_ms.quantile(0.5),
            tick_to_target_p99_ms=self._tick_to_target_ms.quantile(0.99),
            forward_p50_ms=self._forward_ms.quantile(0.5),
            forward_p99_ms=self._forward_ms.quantile(0.99),
        )


def _join(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _rounded(value: float) -> float | None:
    return round(value, 3) if math.isfinite(value) else None
