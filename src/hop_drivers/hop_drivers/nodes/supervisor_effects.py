"""What the supervisor does to the ROS graph."""

from __future__ import annotations

import time
from pathlib import Path

from rclpy.client import Client
from rclpy.node import Node
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from hop_core import topics
from hop_core.nodes.qos import NEWEST
from hop_core.nodes.state_io import StatePublisher
from hop_core.state_report import StateReport
from hop_drivers.incident import IncidentRecorder
from hop_drivers.nodes.messages import target_message
from hop_drivers.supervisor_state import Effects
from hop_drivers.target import Target


class RosEffects(Effects):
    """Publishes state and targets and calls the drivers' services; every call returns at once.

    Attributes:
        incidents: the ring of the last seconds.
        counters: refusals and clamps, for the incident's file.
    """

    def __init__(self, node: Node, folder: Path, seconds: float, rate_hz: float) -> None:
        self._node = node
        self._state = StatePublisher(node, "supervisor")
        self._targets = node.create_publisher(JointTrajectory, topics.SAFE_TARGET, NEWEST)
        self._arm = [
            node.create_client(SetBool, name) for name in (topics.XARM_ARM, topics.ALLEGRO_ARM)
        ]
        self._recover = [
            node.create_client(Trigger, name)
            for name in (topics.XARM_RECOVER, topics.ALLEGRO_RECOVER)
        ]
        self.incidents = IncidentRecorder(folder, seconds, rate_hz)
        self.counters: dict[str, int] = {}

    def publish_state(self, report: StateReport) -> None:
        """Publish the supervisor's own state."""
        self.incidents.report(time.time_ns(), report)
        self._state.publish(
            report.state,
            report.reason,
            source=report.source,
            arming_id=report.arming_id,
            progress=report.progress,
            extra=report.extra,
        )

    def send(self, target: Target) -> None:
        """Publish a filtered target."""
        self._targets.publish(target_message(target))

    def arm_drivers(self, arm: bool) -> None:
        """Call the drivers' arm services; what came of it is on /hop/state."""
        self._call(self._arm, SetBool.Request(data=arm))

    def recover_drivers(self) -> None:
        """Call the drivers' recover services; what came of it is on /hop/state."""
        self._call(self._recover, Trigger.Request())

    def write_incident(self, reason: str) -> None:
        """Write down the last seconds, in the background."""
        log = self._node.get_logger()
        log.error(f"FAULT: {reason}")
        self.incidents.write(reason, self.counters, log.error)

    def _call(self, clients: list[Client], request: object) -> None:
        for client in clients:
            if client.service_is_ready():
                client.call_async(request)
            else:
                self._node.get_logger().warning(f"{client.srv_name} is not there and not called")
