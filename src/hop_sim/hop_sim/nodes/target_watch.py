"""How long the supervisor takes from a policy's target to the accepted one, seen from outside."""

from __future__ import annotations

import time

from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from hop_core import topics
from hop_core.nodes.qos import reliable
from hop_core.nodes.runtime import to_ns
from hop_core.rate import QuantileRing


class TargetWatch:
    """Listens to both topics in one process, so that the way to the listener cancels out."""

    def __init__(self, node: Node) -> None:
        """Subscribe on `node`."""
        self._sent_ns: dict[int, int] = {}
        self._filter_ms = QuantileRing()
        self._subscriptions = [
            node.create_subscription(
                JointTrajectory, topics.POLICY_TARGET, self._on_target, reliable(20)
            ),
            node.create_subscription(
                JointTrajectory, topics.SAFE_TARGET, self._on_accepted, reliable(20)
            ),
        ]

    def _on_target(self, message: JointTrajectory) -> None:
        self._sent_ns[to_ns(message.header.stamp)] = time.monotonic_ns()

    def _on_accepted(self, message: JointTrajectory) -> None:
        sent_ns = self._sent_ns.pop(to_ns(message.header.stamp), None)
        if sent_ns is not None:
            self._filter_ms.add((time.monotonic_ns() - sent_ns) * 1e-6)

    def filter_p99_ms(self) -> float:
        """Return the 99 % quantile [ms] of the targets seen so far."""
        return self._filter_ms.quantile(0.99)
