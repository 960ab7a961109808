"""The xArm7 on the ROS graph."""

from __future__ import annotations

from hop_core import topics
from hop_core.embodiment import ARM_JOINTS
from hop_core.nodes.runtime import main_of
from hop_core.realtime import Priority
from hop_drivers.arm_loop import ArmDriver
from hop_drivers.device_lock import lock_arm
from hop_drivers.nodes.driver_node import DriverNode
from hop_drivers.xarm import XArm


class XarmNode(DriverNode):
    """Polls and moves the arm at 120 Hz."""

    def __init__(self) -> None:
        super().__init__("xarm", ARM_JOINTS, topics.ARM_STATES)
        arm = self.config.arm
        self._instance = lock_arm(arm)
        driver = ArmDriver(
            arm, self.embodiment, self.safety, XArm, self.publish_reading, self.publish_view
        )
        self.connect(driver, topics.XARM_ARM, topics.XARM_RECOVER)


main = main_of(XarmNode, Priority.ARM)
