"""What the supervisor knows of the robot.

The newest joint angles, and how long each stream has been flowing; pure.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hop_core.clock import S_PER_NS
from hop_core.embodiment import ARM, HAND, JOINT_NAMES, joint_index
from hop_core.errors import ModelError

_GAP_S = 0.25


class Stream:
    """Freshness of one topic."""

    def __init__(self) -> None:
        self.last_ns: int | None = None
        self._since_ns = 0

    def arrived(self, now_ns: int) -> None:
        """A message came; a long gap before it starts the fresh period anew."""
        if self.last_ns is None or (now_ns - self.last_ns) * S_PER_NS > _GAP_S:
            self._since_ns = now_ns
        self.last_ns = now_ns

    def age_s(self, now_ns: int) -> float:
        """Return the time since the last message [s], infinite before the first."""
        return float("inf") if self.last_ns is None else (now_ns - self.last_ns) * S_PER_NS

    def fresh_s(self, now_ns: int) -> float:
        """Return for how long messages have been flowing without a gap [s]; 0 when they are not."""
        return 0.0 if self.age_s(now_ns) > _GAP_S else (now_ns - self._since_ns) * S_PER_NS


class Feedback:
    """Newest measured angles `q` (23,) [rad], order JOINT_NAMES, and the streams by component."""

    def __init__(self, components: Sequence[str]) -> None:
        self.q = np.zeros(len(JOINT_NAMES))
        self.streams = {name: Stream() for name in components}
        self._slices = {"xarm": ARM, "allegro": HAND}
        self._index: dict[str, tuple[list[str], np.ndarray]] = {}

    def joints(
        self, component: str, names: Sequence[str], position: Sequence[float], now_ns: int
    ) -> None:
        """Take a joint state.

        Raises:
            ModelError: the names are not the component's joints, or an angle is missing or not
                finite.
        """
        part = self._slices[component]
        q = np.asarray(position, dtype=np.float64)
        if q.shape != (len(names),) or not np.isfinite(q).all():
            raise ModelError(
                f"{len(q)} joint angles for {len(names)} names, or one that is not finite"
            )
        known = self._index.get(component)
        if known is None or known[0] != names:
            known = (list(names), joint_index(list(names), JOINT_NAMES[part]))
            self._index[component] = known
        self.q[part] = q[known[1]]
        self.arrived(component, now_ns)

    def arrived(self, component: str, now_ns: int) -> None:
        """Note a message of a stream without joints."""
        stream = self.streams.get(component)
        if stream is not None:
            stream.arrived(now_ns)

    def oldest(self, components: Sequence[str], now_ns: int) -> tuple[str, float]:
        """Return the component that has been silent for longest, and for how long [s]."""
        ages = {name: self.streams[name].age_s(now_ns) for name in components}
        worst = max(ages, key=lambda name: ages[name])
        return worst, ages[worst]
