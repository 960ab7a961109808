"""The ZED-2 on the ROS graph: depth in millimetres and its calibration."""

from __future__ import annotations

from sensor_msgs.msg import CameraInfo, Image

from hop_core import topics
from hop_core.nodes.qos import STREAM
from hop_core.nodes.runtime import HopNode, main_of
from hop_core.nodes.state_io import DiagnosticsTimer, StatePublisher
from hop_core.realtime import Priority
from hop_core.robot_config import load_robot
from hop_drivers.camera_loop import CameraDriver
from hop_drivers.driver_state import DriverView
from hop_drivers.nodes.messages import camera_info_message, depth_message
from hop_drivers.zed import DepthFrame, Intrinsics, Zed

_CHECK_S = 0.1


class ZedNode(HopNode):
    """Publishes depth and camera_info with one stamp, from the grabbing thread."""

    def __init__(self) -> None:
        super().__init__("zed")
        self._config = load_robot(self.robot, self.config_dir).moved(self.twin_address).camera
        self._depth = self.create_publisher(Image, topics.DEPTH, STREAM)
        self._info = self.create_publisher(CameraInfo, topics.CAMERA_INFO, STREAM)
        self._state = StatePublisher(self, "zed")
        self._lens: Intrinsics | None = None
        self._driver = CameraDriver(self._config, Zed, self._publish, self._on_change)
        self._diagnostics = DiagnosticsTimer(self, {"camera": self._driver.diagnostics})
        self.create_timer(_CHECK_S, self._check)
        self._driver.start()

    def _publish(self, frame: DepthFrame, lens: Intrinsics) -> None:
        message = depth_message(frame)
        if lens != self._lens:
            self._lens = lens
            self._info_message = camera_info_message(lens, message.width, message.height)
        self._info_message.header.stamp = message.header.stamp
        self._depth.publish(message)
        self._info.publish(self._info_message)

    def _on_change(self, view: DriverView) -> None:
        self._state.publish(view.state, view.reason)

    def _check(self) -> None:
        self._driver.check()
        if not self._driver.running:
            self.get_logger().fatal("the grabbing thread ended: see the traceback above")
            self.stop(1)

    def close(self) -> None:
        """Stop grabbing."""
        driver = getattr(self, "_driver", None)
        if driver is not None:
            driver.close()


main = main_of(ZedNode, Priority.CAMERA)
