"""Records a lock-step episode as the bag that the live graph would have left."""

from __future__ import annotations

import numpy as np

from hop_core import topics
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES
from hop_core.robot_config import CameraConfig
from hop_policy import messages
from hop_policy.bag_writer import EpisodeWriter

MS = 1_000_000
DEPTH_TRAVEL_NS = 20 * MS  # from exposure to the subscriber, as measured on the live graph
JOINT_TRAVEL_NS = 1 * MS


class BagTap:
    """Writes what it sees with the receive times of the live graph."""

    def __init__(self, writer: EpisodeWriter, camera: CameraConfig, arming_id: str) -> None:
        """Write into `writer`; the camera's lens goes into camera_info."""
        self._writer = writer
        self._camera = camera
        self._arming_id = arming_id
        cx, cy = camera.center_px
        self._lens = np.array(
            [[camera.focal_px, 0.0, cx], [0.0, camera.focal_px, cy], [0.0, 0.0, 1.0]]
        )

    def arm(self, stamp_ns: int, q: np.ndarray, qd: np.ndarray, effort: np.ndarray) -> None:
        """Write an arm joint state, (7,) each [rad, rad/s, Nm]."""
        message = messages.joint_state(ARM_JOINTS, q, qd, effort, stamp_ns)
        self._writer.write(topics.ARM_STATES, stamp_ns + JOINT_TRAVEL_NS, message)

    def hand(self, stamp_ns: int, q: np.ndarray, qd: np.ndarray, effort: np.ndarray) -> None:
        """Write a hand joint state, (16,) each [rad, rad/s, Nm]."""
        message = messages.joint_state(HAND_JOINTS, q, qd, effort, stamp_ns)
        self._writer.write(topics.HAND_STATES, stamp_ns + JOINT_TRAVEL_NS, message)

    def depth(self, stamp_ns: int, depth_mm: np.ndarray) -> None:
        """Write a depth image (H, W) uint16 [mm] with its camera_info."""
        camera, received_ns = self._camera, stamp_ns + DEPTH_TRAVEL_NS
        info = messages.camera_info(
            self._lens, camera.width, camera.height, stamp_ns, topics.CAMERA_FRAME
        )
        image = messages.depth_image(depth_mm, stamp_ns, topics.CAMERA_FRAME)
        self._writer.write(topics.CAMERA_INFO, received_ns, info)
        self._writer.write(topics.DEPTH, received_ns, image)

    def tick(self, tick_ns: int, chosen_ns: dict[str, int]) -> None:
        """Write a policy tick."""
        self._writer.write(topics.TICK, tick_ns, messages.tick(tick_ns, chosen_ns))

    def target(
        self, tick_ns: int, accepted_ns: int, wanted: np.ndarray, accepted: np.ndarray
    ) -> None:
        """Write a source's target and the accepted one, (23,) each [rad]."""
        for topic, q, received_ns in (
            (topics.POLICY_TARGET, wanted, tick_ns),
            (topics.SAFE_TARGET, accepted, accepted_ns),
        ):
            message = messages.joint_trajectory(JOINT_NAMES, q, tick_ns, self._arming_id)
            self._writer.write(topic, received_ns, message)
