"""What the safety filter did with an episode's targets, and how smooth the accepted ones are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from hop_core.embodiment import ARM, HAND

_ORDER = 3
_GAP = 1.5  # periods between two targets from which on they are no longer neighbours


@dataclass(frozen=True)
class Motion:
    """Figures of one episode.

    Attributes:
        targets: that the filter accepted.
        changed: of these, how many it changed.
        clamps: how many it changed for each reason; a target may have several. None where the
            reasons are not known, as on the live graph.
        arm_jerk_rad_s3, hand_jerk_rad_s3: root mean square, over joints and time, of the third
            difference of the accepted targets over the cube of the tick; None below four targets in
            a row.
    """

    targets: int = 0
    changed: int = 0
    clamps: Mapping[str, int] | None = field(default_factory=dict)
    arm_jerk_rad_s3: float | None = None
    hand_jerk_rad_s3: float | None = None


def rms_jerk(q: np.ndarray, step_s: float) -> float:
    """Return the root mean square jerk [rad/s^3] of targets (T, n) [rad], T > 3, `step_s` apart."""
    jerk = np.diff(q, n=_ORDER, axis=0) / step_s**3
    return float(np.sqrt((jerk**2).mean()))


class MotionRecord:
    """Collects the accepted targets of one episode, in their order."""

    def __init__(self, tick_ns: int) -> None:
        """Begin without any; `tick_ns` is the time between two of them."""
        self._tick_ns = tick_ns
        self._stamps_ns: list[int] = []
        self._accepted: list[np.ndarray] = []
        self._changed = 0
        self._clamps: Counter[str] | None = Counter()

    def add(
        self, tick_ns: int, accepted: np.ndarray, changed: bool, clamped: Collection[str] | None
    ) -> None:
        """Take the target that answers the tick at `tick_ns`.

        Args:
            tick_ns: its stamp, rising.
            accepted: (23,) what the filter let through [rad].
            changed: whether that is not what was asked for.
            clamped: why; None where that is not known.
        """
        self._stamps_ns.append(tick_ns)
        self._accepted.append(accepted)
        self._changed += changed
        if clamped is None or self._clamps is None:
            self._clamps = None
        else:
            self._clamps.update(clamped)

    def motion(self) -> Motion:
        """Return the figures so far."""
        arm, hand = (self._jerk(part) for part in (ARM, HAND))
        clamps = None if self._clamps is None else dict(self._clamps)
        return Motion(len(self._accepted), self._changed, clamps, arm, hand)

    def _jerk(self, part: slice) -> float | None:
        """Return the jerk of the joints `part` over runs of targets without a gap."""
        cuts = np.flatnonzero(np.diff(self._stamps_ns) > _GAP * self._tick_ns) + 1
        runs = np.split(np.array(self._accepted), cuts) if self._accepted else []
        jerks = [
            (rms_jerk(run[:, part], self._tick_ns * 1e-9), len(run) - _ORDER)
            for run in runs
            if len(run) > _ORDER
        ]
        return _pooled(jerks)


def pooled_jerk(episodes: Collection[tuple[float | None, int]]) -> float | None:
    """Return the root mean square jerk [rad/s^3] over episodes.

    Args:
        episodes: jerk and number of targets of each; those without a jerk are left out.
    """
    return _pooled([(jerk, targets - _ORDER) for jerk, targets in episodes if jerk is not None])


def _pooled(jerks: Collection[tuple[float, int]]) -> float | None:
    weight = sum(count for _, count in jerks)
    if weight <= 0:
        return None
    return float(np.sqrt(sum(jerk**2 * count for jerk, count in jerks) / weight))
