"""ROS messages built and serialised without ROS, for lock-step collection and the bag writer.

The classes are rosbags' own of the Jazzy definitions, so their CDR bytes are what
`rclpy.serialization.serialize_message` writes. Nodes that run in a ROS graph publish rclpy messages
instead; `hop_policy.decode` reads both.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_typestore

from hop_policy.decode import TICK_LABEL

TYPESTORE = get_typestore(Stores.ROS2_JAZZY)

JOINT_STATE = "sensor_msgs/msg/JointState"
IMAGE = "sensor_msgs/msg/Image"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
JOINT_TRAJECTORY = "trajectory_msgs/msg/JointTrajectory"
INT64_ARRAY = "std_msgs/msg/Int64MultiArray"
STRING = "std_msgs/msg/String"
TF_MESSAGE = "tf2_msgs/msg/TFMessage"

_TYPES: Any = TYPESTORE.types
_NS_PER_S = 1_000_000_000
_ENCAPSULATION = 4


def message(type_name: str, **fields: Any) -> Any:
    """Return a message of any standard type, built from its fields."""
    return _TYPES[type_name](**fields)


def serialize(message: Any) -> bytes:
    """Return the little-endian CDR bytes of a message built by this module."""
    return bytes(TYPESTORE.serialize_cdr(message, message.__msgtype__, little_endian=True))


def header_stamp_ns(cdr: bytes) -> int:
    """Return the stamp [ns] of a serialised message that begins with a Header.

    It is two 32-bit numbers, the first thing after the 4 bytes of encapsulation.
    """
    seconds, nanoseconds = _stamp(cdr).unpack_from(cdr, _ENCAPSULATION)
    return int(seconds) * _NS_PER_S + int(nanoseconds)


def restamped(cdr: bytes, shift_ns: int) -> bytes:
    """Return the bytes of a message that begins with a Header, its stamp moved by `shift_ns`."""
    moved = bytearray(cdr)
    stamp_ns = header_stamp_ns(cdr) + shift_ns
    _stamp(cdr).pack_into(moved, _ENCAPSULATION, *divmod(stamp_ns, _NS_PER_S))
    return bytes(moved)


def _stamp(cdr: bytes) -> struct.Struct:
    return struct.Struct("<iI" if cdr[1] & 1 else ">iI")


def deserialize(cdr: bytes, type_name: str) -> Any:
    """Return the message of CDR bytes.

    Args:
        cdr: serialised message with its 4-byte encapsulation header.
        type_name: ROS type, for example ``sensor_msgs/msg/Image``.

    Raises:
        rosbags.serde.SerdeError: the bytes are not a message of that type.
    """
    return TYPESTORE.deserialize_cdr(cdr, type_name)


def time(stamp_ns: int) -> Any:
    """Return a builtin_interfaces/Time of integer nanoseconds."""
    sec, nanosec = divmod(stamp_ns, _NS_PER_S)
    return _TYPES["builtin_interfaces/msg/Time"](sec=sec, nanosec=nanosec)


def duration(duration_ns: int) -> Any:
    """Return a builtin_interfaces/Duration of integer nanoseconds."""
    sec, nanosec = divmod(duration_ns, _NS_PER_S)
    return _TYPES["builtin_interfaces/msg/Duration"](sec=sec, nanosec=nanosec)


def header(stamp_ns: int, frame_id: str = "") -> Any:
    """Return a std_msgs/Header."""
    return _TYPES["std_msgs/msg/Header"](stamp=time(stamp_ns), frame_id=frame_id)


def joint_state(
    names: Sequence[str],
    position: np.ndarray,
    velocity: np.ndarray,
    effort: np.ndarray,
    stamp_ns: int,
) -> Any:
    """Return a sensor_msgs/JointState.

    Args:
        names: n joint names.
        position: (n,) [rad].
        velocity: (n,) [rad/s].
        effort: (n,) [Nm].
        stamp_ns: time of the measurement, ROS time.
    """
    return _TYPES[JOINT_STATE](
        header=header(stamp_ns),
        name=list(names),
        position=_float64(position),
        velocity=_float64(velocity),
        effort=_float64(effort),
    )


def depth_image(depth_mm: np.ndarray, stamp_ns: int, frame_id: str) -> Any:
    """Return a sensor_msgs/Image 16UC1.

    Args:
        depth_mm: (H, W) uint16 [mm]; 0 unknown, 1 too close, 65535 too far.
        stamp_ns: of the image, ROS time.
        frame_id: optical frame of the camera.
    """
    height, width = depth_mm.shape
    pixels = np.ascontiguousarray(depth_mm, dtype="<u2")
    return _TYPES[IMAGE](
        header=header(stamp_ns, frame_id),
        height=height,
        width=width,
        encoding="16UC1",
        is_bigendian=0,
        step=2 * width,
        data=pixels.view(np.uint8).reshape(-1),
    )


def camera_info(k: np.ndarray, width: int, height: int, stamp_ns: int, frame_id: str) -> Any:
    """Return a sensor_msgs/CameraInfo of a rectified camera without distortion.

    Args:
        k: (3, 3) intrinsics [px].
        width: image width [px].
        height: image height [px].
        stamp_ns: stamp of the image that it belongs to.
        frame_id: optical frame of the camera.
    """
    k = _float64(k).reshape(3, 3)
    return _TYPES[CAMERA_INFO](
        header=header(stamp_ns, frame_id),
        height=height,
        width=width,
        distortion_model="plumb_bob",
        d=np.zeros(5),
        k=k.reshape(9),
        r=np.eye(3).reshape(9),
        p=np.hstack([k, np.zeros((3, 1))]).reshape(12),
        binning_x=0,
        binning_y=0,
        roi=_TYPES["sensor_msgs/msg/RegionOfInterest"](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        ),
    )


def joint_trajectory(
    names: Sequence[str],
    positions: np.ndarray,
    stamp_ns: int,
    frame_id: str,
    time_from_start_ns: Sequence[int] = (50_000_000,),
) -> Any:
    """Return a trajectory_msgs/JointTrajectory of position targets.

    Args:
        names: n joint names.
        positions: (n,) one point or (P, n) points [rad].
        stamp_ns: time of the observation that the target answers.
        frame_id: arming id.
        time_from_start_ns: P times after the stamp at which each point is due; the default is one
            20 Hz tick.
    """
    points = np.atleast_2d(_float64(positions))
    empty = np.zeros(0)
    return _TYPES[JOINT_TRAJECTORY](
        header=header(stamp_ns, frame_id),
        joint_names=list(names),
        points=[
            _TYPES["trajectory_msgs/msg/JointTrajectoryPoint"](
                positions=point,
                velocities=empty,
                accelerations=empty,
                effort=empty,
                time_from_start=duration(due_ns),
            )
            for point, due_ns in zip(points, time_from_start_ns, strict=True)
        ],
    )


def tick(tick_ns: int, chosen_ns: Mapping[str, int]) -> Any:
    """Return a policy tick: a std_msgs/Int64MultiArray whose dimension labels name each value.

    Args:
        tick_ns: time of the tick, ROS time.
        chosen_ns: stamp of the message chosen from each stream at that tick.
    """
    labels = [TICK_LABEL, *chosen_ns]
    return _TYPES[INT64_ARRAY](
        layout=_TYPES["std_msgs/msg/MultiArrayLayout"](
            dim=[
                _TYPES["std_msgs/msg/MultiArrayDimension"](label=label, size=1, stride=1)
                for label in labels
            ],
            data_offset=0,
        ),
        data=np.array([tick_ns, *chosen_ns.values()], dtype=np.int64),
    )


def string(text: str) -> Any:
    """Return a std_msgs/String."""
    return _TYPES[STRING](data=text)


def _float64(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float64)
