"""Plays recorded streams to a policy node and keeps what it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Int64MultiArray
from trajectory_msgs.msg import JointTrajectory

from hop_core import topics
from hop_core.errors import DeviceError
from hop_core.nodes.client import NodeClient
from hop_core.nodes.qos import RECORDER, STREAM
from hop_core.nodes.runtime import to_ns
from hop_core.nodes.state_io import StateListener
from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_policy.decode import TICK_LABEL, tick_stamps

_POLL_S = 0.01
_LOOK_AROUND_S = 1.0
_KINDS = {
    topics.CAMERA_INFO: CameraInfo,
    topics.DEPTH: Image,
    topics.ARM_STATES: JointState,
    topics.HAND_STATES: JointState,
}
PLAYED = tuple(_KINDS)
"""Topics that a policy node listens to."""


class BagPlayer(NodeClient):
    """Stands in for the devices of one policy node.

    Attributes:
        ticks: stamps [ns] of each tick that the node answered, by the tick's time.
        targets: what it sent (23,) [rad], by the tick's time.
        states: (time [ns], state) of the node, as it said them.
    """

    def __init__(self, domain: int) -> None:
        """Join `domain`, where nobody else may be.

        Raises:
            DeviceError: a robot's nodes are there already.
        """
        super().__init__("bag_player", domain)
        self.ticks: dict[int, dict[str, int]] = {}
        self.targets: dict[int, np.ndarray] = {}
        self.states: list[tuple[int, HopState]] = []
        node = self.node
        self._listener = StateListener(node, self._on_report)
        self._subscriptions = [
            node.create_subscription(Int64MultiArray, topics.TICK, self._on_tick, RECORDER),
            node.create_subscription(
                JointTrajectory, topics.POLICY_TARGET, self._on_target, RECORDER
            ),
        ]
        self.start()
        try:
            self._require_solitude(domain)
        except DeviceError:
            self.close()
            raise
        self._publishers = {
            topic: node.create_publisher(kind, topic, STREAM) for topic, kind in _KINDS.items()
        }

    def _require_solitude(self, domain: int) -> None:
        """Look around before the first word: recorded joint states must never meet a robot."""
        time.sleep(_LOOK_AROUND_S)
        for topic in (*PLAYED, topics.TICK, topics.POLICY_TARGET, topics.SAFE_TARGET):
            if self.node.count_publishers(topic):
                raise DeviceError(
                    f"somebody publishes {topic} in ROS domain {domain}; a recording may not be "
                    "played there: pass another --domain"
                )

    def wait(self, what: str, holds: Callable[[], bool], timeout_s: float) -> None:
        """Return when `holds()`.

        Raises:
            DeviceError: it did not within `timeout_s`.
        """
        give_up = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > give_up:
                raise DeviceError(f"waited {timeout_s:.0f} s for {what}, which did not come")
            time.sleep(_POLL_S)

    def connected(self) -> bool:
        """Whether the node is ready, hears every topic, and is heard."""
        report = self._listener.get("policy")
        return (
            report is not None
            and all(each.get_subscription_count() for each in self._publishers.values())
            and all(self.node.count_publishers(t) for t in (topics.TICK, topics.POLICY_TARGET))
        )

    def publish(self, topic: str, cdr: bytes) -> None:
        """Send a serialised message."""
        self._publishers[topic].publish(cdr)

    def play(self, messages: Iterable[tuple[int, str, Callable[[], bytes]]]) -> float:
        """Send each message when it is due; return how late the latest was [ms].

        Args:
            messages: (ROS time [ns], topic, makes the CDR bytes), in the order of time.
        """
        late_ns = 0
        for due_ns, topic, make in messages:
            wait_ns = due_ns - time.time_ns()
            if wait_ns > 0:
                time.sleep(wait_ns * 1e-9)
            self.publish(topic, make())
            late_ns = max(late_ns, time.time_ns() - due_ns)
        return late_ns * 1e-6

    def state_at(self, time_ns: int) -> HopState | None:
        """Return the state that the node had last said at `time_ns`, None before its first."""
        said = [state for at_ns, state in self.states if at_ns <= time_ns]
        return said[-1] if said else None

    def stop_policy(self) -> None:
        """End the node's run, if there is one."""
        with suppress(DeviceError):
            self.trigger(topics.POLICY_STOP)

    def _on_tick(self, message: Int64MultiArray) -> None:
        stamps = tick_stamps(message)
        self.ticks[stamps.pop(TICK_LABEL)] = stamps

    def _on_target(self, message: JointTrajectory) -> None:
        self.targets[to_ns(message.header.stamp)] = np.array(message.points[0].positions)

    def _on_report(self, report: StateReport) -> None:
        if report.component == "policy":
            self.states.append((time.time_ns(), report.state))
