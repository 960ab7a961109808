"""What the arm's and the hand's nodes share: the ROS side of a driver."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sensor_msgs.msg import JointState
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from hop_core import topics
from hop_core.embodiment import load_embodiment
from hop_core.nodes.qos import NEWEST, STREAM, reliable
from hop_core.nodes.runtime import HopNode
from hop_core.nodes.state_io import DiagnosticsTimer, StateListener, StatePublisher
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_core.state_report import StateReport
from hop_drivers.driver import Driver
from hop_drivers.driver_state import DriverView
from hop_drivers.nodes.messages import JointStateBuilder, target_of
from hop_drivers.target import TargetReader

_CHECK_S = 0.2


class DriverNode(HopNode):
    """Hands ROS's callbacks to a driver and publishes from its control loop what it reads."""

    def __init__(self, name: str, joints: Sequence[str], states_topic: str) -> None:
        super().__init__(name)
        self.config = load_robot(self.robot, self.config_dir).moved(self.twin_address)
        self.safety = load_safety(self.config_dir)
        self.embodiment = load_embodiment(late_serial=self.config.arm.late_serial)
        self._states = self.create_publisher(JointState, states_topic, STREAM)
        self._builder = JointStateBuilder(joints)
        self._state = StatePublisher(self, name)
        self._reader = TargetReader(joints, self.safety.watchdog, subset=True)

    def connect(self, driver: Driver, arm_service: str, recover_service: str) -> None:
        """Wire the driver to the graph and start it."""
        self.driver = driver
        self._state.publish(driver.state.view.state, driver.state.view.reason)
        self._listener = StateListener(self, self._on_report)
        self.create_subscription(JointTrajectory, topics.SAFE_TARGET, self._on_target, NEWEST)
        self.create_subscription(Bool, topics.ESTOP, self._on_estop, reliable(10))
        self.create_service(SetBool, arm_service, self._on_arm)
        self.create_service(Trigger, recover_service, self._on_recover)
        self._diagnostics = DiagnosticsTimer(self, {"driver": driver.diagnostics})
        self.create_timer(_CHECK_S, self._check)
        driver.start()

    def publish_reading(self, reading: Any) -> None:
        """Publish a joint state; called from the control loop."""
        message = self._builder.build(reading.q, reading.qd, reading.effort, reading.stamp_ns)
        self._states.publish(message)

    def publish_view(self, view: DriverView) -> None:
        """Publish the driver's state; called from any thread."""
        self._state.publish(view.state, view.reason, arming_id=view.arming_id)

    def _on_report(self, report: StateReport) -> None:
        if report.component == "supervisor":
            self.driver.on_supervisor(report)

    def _on_target(self, message: JointTrajectory) -> None:
        self.driver.offer(target_of(message, self._reader, time.time_ns()))

    def _on_estop(self, message: Bool) -> None:
        if message.data:
            self.driver.request_estop("e-stop by topic")

    def _on_arm(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = True
        response.message = (
            self.driver.request_arm() if request.data else self.driver.request_disarm()
        )
        return response

    def _on_recover(
        self, _request: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        response.success = True
        response.message = self.driver.request_recover()
        return response

    def _check(self) -> None:
        if not self.driver.running:
            self.get_logger().fatal(f"the control loop ended: {self.driver.loop_error}")
            self.stop(1)
        elif not self.driver.workers_alive:
            self.get_logger().fatal("a thread of the driver ended: see the traceback above")
            self.stop(1)

    def close(self) -> None:
        """Stop the driver; the device is left safe."""
        driver = getattr(self, "driver", None)
        if driver is not None:
            driver.close()
