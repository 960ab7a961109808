"""The label of a tick: the accepted target in force one tick later, by receive time.

A target is in force from the moment it was received until the next one comes, at most
`TARGET_HOLD_NS` long. Then the supervisor holds: what it sends itself, to stay or on the way home,
answers no observation and is no label. Of a message with several points the one being pursued
counts: the first due at or after the moment, the last when all are past. Interpolation and ramps of
the controllers are not applied: the label is what the policy has to send, not where the joints are
led.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hop_core.state import HopState, Source
from hop_core.state_report import StateReport
from hop_policy.decode import JointReader, stamp_ns
from hop_policy.tick_replay import TARGET_HOLD_NS


@dataclass(frozen=True)
class AcceptedTarget:
    """One accepted target.

    Attributes:
        due_ns: P times at which its points are due, ROS time, rising.
        positions: (P, 23) joint angles [rad] in the reader's order.
    """

    due_ns: tuple[int, ...]
    positions: np.ndarray

    def pursued_at(self, time_ns: int) -> np.ndarray:
        """Return the point (23,) [rad] that is being pursued at `time_ns`."""
        for due_ns, position in zip(self.due_ns, self.positions, strict=True):
            if due_ns >= time_ns:
                return np.asarray(position)
        return np.asarray(self.positions[-1])


@dataclass
class TargetTimeline:
    """The accepted targets of an episode in receive order.

    Attributes:
        reader: puts the joints into the contract's order.
    """

    reader: JointReader
    _received_ns: list[int] = field(default_factory=list)
    _targets: list[AcceptedTarget] = field(default_factory=list)
    _reported_ns: list[int] = field(default_factory=list)
    _follows: list[bool] = field(default_factory=list)

    def add(self, received_ns: int, trajectory: Any) -> None:
        """Add a trajectory_msgs/JointTrajectory received at `received_ns`, not before the last one.

        Raises:
            ModelError: its joints are not those of the contract.
            AlignmentError: a value is missing or not finite.
        """
        start_ns = stamp_ns(trajectory.header)
        names: Sequence[str] = trajectory.joint_names
        points = [self.reader.read(names, point.positions) for point in trajectory.points]
        if not points:
            return  # a message without points asks for nothing: the earlier one stays in force
        due = (start_ns + _duration_ns(point.time_from_start) for point in trajectory.points)
        self._received_ns.append(received_ns)
        self._targets.append(AcceptedTarget(tuple(due), np.stack(points)))

    def supervisor_is(self, received_ns: int, report: StateReport) -> None:
        """Note the supervisor's `report`, received not before the last one.

        From then on targets are somebody's only while it follows a source other than the way home.
        A recording without any report, as of lock-step, has no other targets.
        """
        self._reported_ns.append(received_ns)
        self._follows.append(report.state is HopState.ACTIVE and report.source != Source.HOME)

    def in_force(self, time_ns: int) -> np.ndarray | None:
        """Return the target (23,) [rad] in force at `time_ns` (ROS time), None if there is none."""
        index = bisect_right(self._received_ns, time_ns) - 1
        if index < 0 or time_ns - self._received_ns[index] > TARGET_HOLD_NS:
            return None
        report = bisect_right(self._reported_ns, time_ns) - 1
        if self._reported_ns and not (report >= 0 and self._follows[report]):
            return None
        return self._targets[index].pursued_at(time_ns)


def _duration_ns(duration: Any) -> int:
    return int(duration.sec) * 1_000_000_000 + int(duration.nanosec)
