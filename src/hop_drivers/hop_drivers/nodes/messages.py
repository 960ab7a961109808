"""Messages of the drivers' topics, built from and read into plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from builtin_interfaces.msg import Duration
from sensor_msgs.msg import CameraInfo, Image, JointState
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from hop_core import topics
from hop_core.embodiment import JOINT_NAMES
from hop_core.nodes.runtime import to_ns, to_time
from hop_drivers.camera_loop import Intrinsics
from hop_drivers.target import Target, TargetReader
from hop_drivers.zed import DepthFrame

_NS_PER_S = 1_000_000_000


class JointStateBuilder:
    """Fills one JointState again and again; for a single publishing thread."""

    def __init__(self, names: Sequence[str]) -> None:
        self._message = JointState(name=list(names))

    def build(self, q: np.ndarray, qd: np.ndarray, effort: np.ndarray, stamp_ns: int) -> JointState:
        """Return the message.

        (n,) [rad], [rad/s], [Nm] in the order of the names, stamp [ns, ROS time].
        """
        message = self._message
        message.header.stamp = to_time(stamp_ns)
        message.position = q.tolist()
        message.velocity = qd.tolist()
        message.effort = effort.tolist()
        return message


def target_message(target: Target) -> JointTrajectory:
    """Return the message of a target of all 23 joints."""
    message = JointTrajectory(joint_names=list(JOINT_NAMES))
    message.header.stamp = to_time(target.stamp_ns)
    message.header.frame_id = target.arming_id
    for due_ns, q in zip(target.due_ns, target.q, strict=True):
        seconds, nanoseconds = divmod(due_ns - target.stamp_ns, _NS_PER_S)
        point = JointTrajectoryPoint(positions=q.tolist())
        point.time_from_start = Duration(sec=seconds, nanosec=nanoseconds)
        message.points.append(point)
    return message


def target_of(message: JointTrajectory, reader: TargetReader, now_ns: int) -> Callable[[], Target]:
    """Return a call that reads the target or raises RefusedTarget."""

    def read() -> Target:
        points = [
            (p.time_from_start.sec * _NS_PER_S + p.time_from_start.nanosec, p.positions)
            for p in message.points
        ]
        stamp_ns = to_ns(message.header.stamp)
        return reader.read(message.joint_names, points, stamp_ns, message.header.frame_id, now_ns)

    return read


def depth_message(frame: DepthFrame) -> Image:
    """Return the 16UC1 image [mm] of a frame."""
    height, width = frame.depth_mm.shape
    message = Image(height=height, width=width, encoding="16UC1", is_bigendian=0, step=2 * width)
    message.header.stamp = to_time(frame.stamp_ns)
    message.header.frame_id = topics.CAMERA_FRAME
    message.data = frame.depth_mm.astype("<u2", copy=False).tobytes()
    return message


def camera_info_message(lens: Intrinsics, width: int, height: int) -> CameraInfo:
    """Return the calibration of a rectified image; the caller sets the stamp of each frame."""
    message = CameraInfo(height=height, width=width, distortion_model="rational_polynomial")
    message.header.frame_id = topics.CAMERA_FRAME
    message.d = [0.0] * 8  # rectified
    message.k = [lens.fx, 0.0, lens.cx, 0.0, lens.fy, lens.cy, 0.0, 0.0, 1.0]
    message.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    message.p = [lens.fx, 0.0, lens.cx, 0.0, 0.0, lens.fy, lens.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return message
