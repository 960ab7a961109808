"""From a message to raw stream data, for the live node (rclpy) and for bags (rosbags) alike.

Both kinds of message have the same field names, so each function here is the only one of its kind:
node and dataset cannot disagree about a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hop_core.embodiment import joint_index
from hop_core.errors import AlignmentError
from hop_policy.observation import CameraView

TICK_LABEL = "tick"
"""Label of the tick's own time in a tick message; the other labels name observation streams."""
_DEPTH_TYPES = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}


def stamp_ns(header: Any) -> int:
    """Return the stamp of a std_msgs/Header in integer nanoseconds of ROS time."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


class JointReader:
    """Picks joints out of messages by name; the permutation is looked up once per list of names.

    Args:
        joints: names in the order wanted.
    """

    def __init__(self, joints: Sequence[str]) -> None:
        self._joints = tuple(joints)
        self._names: tuple[str, ...] = ()
        self._pick = np.zeros(0, dtype=np.intp)

    def read(self, names: Sequence[str], values: Sequence[float]) -> np.ndarray:
        """Return (n,) float64 values in the reader's order.

        Args:
            names: joint names of the message, any order.
            values: one value per name.

        Raises:
            ModelError: a wanted joint is missing, unknown or named twice.
            AlignmentError: names and values differ in length, or a value is not finite.
        """
        key = tuple(names)
        if key != self._names:
            self._pick = joint_index(key, into=self._joints)
            self._names = key
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (len(key),):
            raise AlignmentError(
                f"a joint message carries {array.size} values for {len(key)} names: "
                f"check its publisher"
            )
        picked = array[self._pick]
        if not np.isfinite(picked).all():
            bad = [self._joints[i] for i in np.flatnonzero(~np.isfinite(picked))]
            raise AlignmentError(
                f"joint values of {bad} are not finite: check the device that published them"
            )
        return picked


def depth_pixels(image: Any) -> np.ndarray:
    """Return an Image's depth as it was sent, (H, W), in native byte order.

    16UC1 gives uint16 [mm] (0 unknown, 1 too close, 65535 too far), 32FC1, the official wrapper's
    default, float32 [m] (NaN unknown, -inf too close, +inf too far).

    Args:
        image: sensor_msgs/Image.

    Raises:
        AlignmentError: another encoding, or a buffer that does not fit width, height and step.
    """
    if image.encoding not in _DEPTH_TYPES:
        raise AlignmentError(
            f"depth image has encoding {image.encoding!r}: set the camera to one of "
            f"{', '.join(_DEPTH_TYPES)}"
        )
    dtype = np.dtype((">" if image.is_bigendian else "<") + _DEPTH_TYPES[image.encoding])
    data = np.frombuffer(image.data, dtype=np.uint8)
    row_bytes = image.width * dtype.itemsize
    if data.size != image.step * image.height or image.step < row_bytes:
        raise AlignmentError(
            f"depth image of {image.width}x{image.height} with step {image.step} has {data.size} "
            f"bytes, not {image.step * image.height}: check the camera driver"
        )
    rows = np.ascontiguousarray(data.reshape(image.height, image.step)[:, :row_bytes])
    return rows.view(dtype).astype(dtype.newbyteorder("="))


def camera_view(info: Any) -> CameraView:
    """Return size and intrinsics [px] of a sensor_msgs/CameraInfo of a rectified image.

    Raises:
        AlignmentError: it is not calibrated.
    """
    k = info.k
    if not (k[0] > 0 and k[4] > 0 and info.width > 0 and info.height > 0):
        raise AlignmentError("camera_info holds no calibration: check the camera driver")
    return CameraView(
        int(info.width), int(info.height), float(k[0]), float(k[4]), float(k[2]), float(k[5])
    )


def tick_stamps(message: Any) -> dict[str, int]:
    """Return the stamps [ns] of a policy tick by label; `TICK_LABEL` is the tick itself.

    Raises:
        AlignmentError: labels and values differ in number, or the tick's own is missing.
    """
    labels = [dim.label for dim in message.layout.dim]
    stamps = dict(zip(labels, (int(value) for value in message.data), strict=False))
    if len(labels) != len(message.data) or TICK_LABEL not in stamps:
        raise AlignmentError(f"a policy tick names {labels} for {len(message.data)} stamps")
    return stamps
