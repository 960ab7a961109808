"""What a bag needs to be viewed by itself: fixed frames (/tf_static), URDF (/robot_description)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np

from hop_core import topics
from hop_policy import messages

STATIC_TOPICS = frozenset({topics.ROBOT_DESCRIPTION, topics.TF_STATIC})
"""What its writer gives a bag of itself: no recording of anything."""


@dataclass(frozen=True)
class StaticFrame:
    """One fixed transform: `T_parent_child` (4, 4) maps `child` into `parent` [m]."""

    parent: str
    child: str
    T_parent_child: np.ndarray


@dataclass(frozen=True)
class Statics:
    """The latched content of a bag.

    Attributes:
        urdf: robot description, XML.
        frames: the fixed frames of the cell (camera, table).
    """

    urdf: str
    frames: tuple[StaticFrame, ...] = ()

    def stamped(self, stamp_ns: int) -> list[tuple[str, Any]]:
        """Return (topic, message) pairs stamped `stamp_ns` (ROS time)."""
        pairs: list[tuple[str, Any]] = []
        if self.urdf:
            pairs.append((topics.ROBOT_DESCRIPTION, messages.string(self.urdf)))
        if self.frames:
            pairs.append((topics.TF_STATIC, tf_message(self.frames, stamp_ns)))
        return pairs


def tf_message(frames: Sequence[StaticFrame], stamp_ns: int) -> Any:
    """Return the tf2_msgs/TFMessage of `frames`."""
    return messages.message(
        messages.TF_MESSAGE, transforms=[transform_stamped(frame, stamp_ns) for frame in frames]
    )


def transform_stamped(frame: StaticFrame, stamp_ns: int) -> Any:
    """Return the geometry_msgs/TransformStamped of one fixed frame."""
    x, y, z, w = quaternion_xyzw(frame.T_parent_child[:3, :3])
    tx, ty, tz = (float(v) for v in frame.T_parent_child[:3, 3])
    return messages.message(
        "geometry_msgs/msg/TransformStamped",
        header=messages.header(stamp_ns, frame.parent),
        child_frame_id=frame.child,
        transform=messages.message(
            "geometry_msgs/msg/Transform",
            translation=messages.message("geometry_msgs/msg/Vector3", x=tx, y=ty, z=tz),
            rotation=messages.message("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w),
        ),
    )


def fixed_frames(message: Any) -> list[StaticFrame]:
    """Return the frames of a tf2_msgs/TFMessage."""
    return [
        StaticFrame(each.header.frame_id, each.child_frame_id, _pose(each.transform))
        for each in message.transforms
    ]


def _pose(transform: Any) -> np.ndarray:
    """Return (4, 4) of a geometry_msgs/Transform."""
    turn, shift, rotation = transform.rotation, transform.translation, np.empty(9)
    mujoco.mju_quat2Mat(rotation, np.array([turn.w, turn.x, turn.y, turn.z]))
    pose = np.eye(4)
    pose[:3, :3] = rotation.reshape(3, 3)
    pose[:3, 3] = shift.x, shift.y, shift.z
    return pose


def quaternion_xyzw(rotation: np.ndarray) -> tuple[float, float, float, float]:
    """Return the unit quaternion (x, y, z, w), w >= 0, of a (3, 3) rotation matrix.

    Source: Bar-Itzhack 2000, "New method for extracting the quaternion from a rotation matrix": the
    eigenvector of the largest eigenvalue of K; it needs no case distinction.
    """
    r = np.asarray(rotation, dtype=np.float64)
    k = np.array(
        [
            [r[0, 0] - r[1, 1] - r[2, 2], 0.0, 0.0, 0.0],
            [r[1, 0] + r[0, 1], r[1, 1] - r[0, 0] - r[2, 2], 0.0, 0.0],
            [r[2, 0] + r[0, 2], r[2, 1] + r[1, 2], r[2, 2] - r[0, 0] - r[1, 1], 0.0],
            [r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], np.trace(r)],
        ]
    )
    x, y, z, w = np.linalg.eigh(k)[1][:, -1]  # eigh reads the lower triangle
    sign = -1.0 if w < 0.0 else 1.0
    return float(sign * x), float(sign * y), float(sign * z), float(sign * w)
