"""What becomes of an episode's targets on the ROS graph: asked for, accepted, how smooth."""

from __future__ import annotations

import numpy as np
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory

from hop_core import topics
from hop_core.embodiment import JOINT_NAMES
from hop_core.nodes.qos import RECORDER
from hop_core.nodes.runtime import to_ns
from hop_policy.decode import JointReader
from hop_sim.motion_record import Motion, MotionRecord


class MotionWatch:
    """Listens to what sources ask for and to what the supervisor lets through.

    An accepted target bears the stamp of the one that it was made of; what the supervisor sends of
    its own (to stay, to go home) bears another and is left out.
    """

    def __init__(self, node: Node, tick_ns: int) -> None:
        """Subscribe on `node`; sources send every `tick_ns`."""
        self._tick_ns = tick_ns
        self._reader = JointReader(JOINT_NAMES)
        self._wanted: dict[int, np.ndarray] = {}
        self._accepted: dict[int, np.ndarray] = {}
        self._subscriptions = [
            node.create_subscription(JointTrajectory, topic, receive, RECORDER)
            for topic, receive in (
                (topics.POLICY_TARGET, self._on_wanted),
                (topics.TELEOP_TARGET, self._on_wanted),
                (topics.SAFE_TARGET, self._on_accepted),
            )
        ]

    def begin(self) -> None:
        """Forget what was before this episode."""
        self._wanted, self._accepted = {}, {}

    def motion(self) -> Motion:
        """Return the figures of the episode so far; the supervisor does not tell its reasons."""
        wanted, accepted = dict(self._wanted), dict(self._accepted)
        record = MotionRecord(self._tick_ns)
        for stamp in sorted(wanted.keys() & accepted.keys()):
            q = accepted[stamp]
            record.add(stamp, q, not np.array_equal(q, wanted[stamp]), None)
        return record.motion()

    def _on_wanted(self, message: JointTrajectory) -> None:
        self._wanted[to_ns(message.header.stamp)] = self._read(message)

    def _on_accepted(self, message: JointTrajectory) -> None:
        self._accepted[to_ns(message.header.stamp)] = self._read(message)

    def _read(self, message: JointTrajectory) -> np.ndarray:
        return self._reader.read(message.joint_names, message.points[0].positions)
