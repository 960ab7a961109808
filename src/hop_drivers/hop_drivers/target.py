"""A joint target on its way from a source to the motors, and the checks at each boundary."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import joint_index
from hop_core.errors import ModelError, SafetyError
from hop_core.safety_config import WatchdogConfig

SHORTEST_STEP_NS = 1_000_000
"""What each point has at least to be reached in."""
LONGEST_CHUNK_NS = 2_000_000_000
"""How far ahead of its receipt a target's last point may be due."""


@dataclass(frozen=True, slots=True)
class Target:
    """One or more joint positions and when each is due.

    Attributes:
        arming_id: arming that the source believes in.
        stamp_ns: ROS time of the observation that it answers.
        due_ns: (K,) ROS times at which the points are due, ascending.
        q: (K, n) joint angles [rad], order of the receiver.
    """

    arming_id: str
    stamp_ns: int
    due_ns: tuple[int, ...]
    q: np.ndarray


class Refusals(Counter[str]):
    """Counts refused targets by reason; published in /diagnostics."""


class RefusedTarget(SafetyError):
    """A target that no motor may see.

    Attributes:
        kind: short key under which it is counted.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class TargetReader:
    """Turns the fields of a JointTrajectory into a Target in a fixed order, or refuses it.

    The permutation by name is computed once per order of names, since a sender never changes it.
    """

    def __init__(
        self, joints: Sequence[str], watchdog: WatchdogConfig, subset: bool = False
    ) -> None:
        """Set the rules.

        Args:
            joints: wanted order.
            watchdog: gives the oldest stamp that is accepted, measured against ROS time at receipt,
                and by how much the sender's clock may be ahead.
            subset: whether the sender names more joints than wanted (a driver takes its own from
                all 23).
        """
        self._joints = tuple(joints)
        self._max_age_ns = round(1e9 * watchdog.target_stale_s)
        self._max_ahead_ns = round(1e9 * watchdog.clock_step_s)
        self._subset = subset
        self._names: list[str] | None = None
        self._index = np.zeros(0, dtype=np.intp)

    def read(
        self,
        names: Sequence[str],
        points: Sequence[tuple[int, Sequence[float]]],
        stamp_ns: int,
        arming_id: str,
        now_ns: int,
    ) -> Target:
        """Return the target.

        Args:
            names: joint names as sent.
            points: (time from the stamp [ns], joint angles [rad]) of each point.
            stamp_ns: ROS time of the observation that it answers.
            arming_id: arming id as sent.
            now_ns: present ROS time.

        Raises:
            RefusedTarget: wrong names, wrong size, a value that is not finite, stale, from the
                future, planned too far ahead, or no point.
        """
        index = self._index_of(list(names))
        if not points:
            raise RefusedTarget("empty", "target refused: it holds no point")
        age_ns = now_ns - stamp_ns
        if age_ns > self._max_age_ns:
            raise RefusedTarget(
                "stale", f"target refused: its observation is {age_ns / 1e6:.0f} ms old"
            )
        if age_ns < -self._max_ahead_ns:
            raise RefusedTarget(
                "future", "target refused: it is stamped in the future; check the senders' clocks"
            )
        if points[-1][0] - age_ns > LONGEST_CHUNK_NS:
            raise RefusedTarget(
                "too_far", f"target refused: it plans beyond {LONGEST_CHUNK_NS * 1e-9:g} s"
            )
        q = np.empty((len(points), len(self._joints)))
        for row, (_, values) in enumerate(points):
            if len(values) != len(names):
                raise RefusedTarget(
                    "size", f"target refused: {len(values)} positions for {len(names)} joints"
                )
            q[row] = np.asarray(values, dtype=np.float64)[index]
        if not np.isfinite(q).all():
            raise RefusedTarget("not_finite", "target refused: a position is NaN or infinite")
        due = tuple(stamp_ns + offset for offset, _ in points)
        steps = itertools.pairwise((stamp_ns, *due))
        if any(later - sooner < SHORTEST_STEP_NS for sooner, later in steps):
            raise RefusedTarget(
                "order",
                "target refused: its points must follow its stamp and each other by at least "
                f"{SHORTEST_STEP_NS / 1e6:g} ms, in which the robot moves to them",
            )
        return Target(arming_id, stamp_ns, due, q)

    def _index_of(self, names: list[str]) -> np.ndarray:
        if names == self._names:
            return self._index
        wanted = set(self._joints)
        known = [name for name in names if name in wanted] if self._subset else names
        try:
            order = joint_index(known, self._joints)
        except ModelError as error:
            raise RefusedTarget("names", f"target refused: {error}") from error
        where = np.array([i for i, name in enumerate(names) if name in wanted], dtype=np.intp)
        self._index = where[order] if self._subset else order
        self._names = names
        return self._index
