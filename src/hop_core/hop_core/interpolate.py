"""Interpolation of joint targets in time, from 20 Hz to the devices' 120 and 333 Hz."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class TargetInterpolator:
    """Moves linearly to each target so as to be there when it is due, then stays."""

    def __init__(self, q: np.ndarray, now_ns: int) -> None:
        """Start at rest at joint angles `q` (n,) [rad]."""
        self._times = [now_ns]
        self._points = [np.array(q, dtype=np.float64)]

    def set_target(self, points: Sequence[tuple[int, np.ndarray]], now_ns: int) -> None:
        """Replace the plan by one from the present sample through `points`.

        Args:
            points: (due time [ns], joint angles (n,) [rad]) in order of time; one that is due
                already is taken as due now.
            now_ns: present time on the same clock.
        """
        start = self.sample(now_ns)
        self._times, self._points = [now_ns], [start]
        for due_ns, q in points:
            self._times.append(max(due_ns, self._times[-1]))
            self._points.append(np.array(q, dtype=np.float64))

    def sample(self, now_ns: int) -> np.ndarray:
        """Return the joint angles (n,) [rad] of the plan at `now_ns`."""
        times, points = self._times, self._points
        for i in range(len(times) - 1):
            if now_ns < times[i + 1]:
                share = max(0.0, (now_ns - times[i]) / (times[i + 1] - times[i]))
                return points[i] + share * (points[i + 1] - points[i])
        return points[-1].copy()
