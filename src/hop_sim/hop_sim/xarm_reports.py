"""The frames that the control box pushes on ports 30001 (normal), 30002 (rich), 30003 (real).

Source: vendor SDK xarm-python-sdk 1.18, x3/report.py and x3/base.py (offsets). The SDK closes the
stream on a frame whose length field, mode, state or sensitivities are implausible.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

NORMAL_PORT, RICH_PORT, REAL_PORT = 30001, 30002, 30003
NORMAL_SIZE, RICH_SIZE, REAL_SIZE = 145, 587, 135
NORMAL_HZ, RICH_HZ, REAL_HZ = 5.0, 5.0, 100.0

_HEAD = struct.Struct(">IBH")
_MOTION = struct.Struct("<20f")
_FORCE = struct.Struct("<12f")
_STATUS = struct.Struct("<4B10f2B3f")
_NO_FORCE = _FORCE.pack(*[0.0] * 12)
_AXES_MASK = 0x7F


@dataclass(slots=True)
class Motion:
    """What every report carries.

    Attributes:
        mode, state, queued: mode 0..11, state 0..9, number of queued commands.
        q: 7 joint angles [rad].
        tcp_mm_rad: x, y, z [mm], roll, pitch, yaw [rad] of the TCP in the base.
        torque: 7 joint torques [Nm].
    """

    mode: int
    state: int
    queued: int
    q: Sequence[float]
    tcp_mm_rad: Sequence[float]
    torque: Sequence[float]


@dataclass(slots=True)
class Settings:
    """What the box has been told; lengths in mm as on the wire. Defaults: the vendor's.

    Attributes:
        tcp_offset: x, y, z [mm], roll, pitch, yaw [rad].
        load: mass [kg], centre of mass x, y, z [mm].
        reduced_box_mm: x max, x min, y max, y min, z max, z min.
        reduced_range_rad: 14 figures, lower and upper of each joint.
        common: other parameters by number, as raw bytes; 1 is the factor on the linear speed limit
            of servo mode.
    """

    tcp_offset: tuple[float, ...] = (0.0,) * 6
    load: tuple[float, ...] = (0.0,) * 4
    collision_sensitivity: int = 3
    teach_sensitivity: int = 3
    gravity: tuple[float, ...] = (0.0, 0.0, -1.0)
    world_offset: tuple[float, ...] = (0.0,) * 6
    tcp_jerk: float = 1000.0
    tcp_max_acc: float = 50000.0
    joint_jerk: float = 20.0
    joint_max_acc: float = 20.0
    reduced: bool = False
    reduced_tcp_speed: float = 1000.0
    reduced_joint_speed: float = 3.14159
    reduced_box_mm: tuple[int, ...] = (9999, -9999, 9999, -9999, 9999, -9999)
    reduced_range_rad: tuple[float, ...] = (-6.28319, 6.28319) * 7
    fence: bool = False
    rebound: bool = False
    self_collision: bool = False
    tool_type: int = 0
    tool_params: tuple[float, ...] = (0.0,) * 6
    common: dict[int, bytes] = field(default_factory=lambda: {1: struct.pack("<f", 1.2)})


@dataclass(slots=True)
class Health:
    """What the normal and the rich report add about the machine.

    Attributes:
        enabled: whether motors are on and brakes open, all axes alike.
        speeds: 7 joint speeds [rad/s].
        tcp_speed_mm_s: linear speed of the TCP.
    """

    enabled: bool
    error: int
    warning: int
    speeds: Sequence[float]
    tcp_speed_mm_s: float
    counter: int


def _head(size: int, motion: Motion) -> bytes:
    head = _HEAD.pack(size, (motion.mode << 4 | motion.state) & 0xFF, min(motion.queued, 0xFFFF))
    return head + _MOTION.pack(*motion.q, *motion.tcp_mm_rad, *motion.torque)


def real_report(motion: Motion) -> bytes:
    """Return the 135-byte frame of port 30003; it carries no error code."""
    return _head(REAL_SIZE, motion) + _NO_FORCE


def normal_report(motion: Motion, health: Health, settings: Settings) -> bytes:
    """Return the 145-byte frame of port 30001."""
    return _head(NORMAL_SIZE, motion) + _status(health, settings)


def _status(health: Health, settings: Settings) -> bytes:
    axes = _AXES_MASK if health.enabled else 0
    return _STATUS.pack(
        axes,
        axes,
        health.error & 0xFF,
        health.warning & 0xFF,
        *settings.tcp_offset,
        *settings.load,
        settings.collision_sensitivity,
        settings.teach_sensitivity,
        *settings.gravity,
    )


def rich_report(motion: Motion, health: Health, settings: Settings, version: str) -> bytes:
    """Return the 587-byte frame of port 30002."""
    s = settings
    frame = bytearray(_head(RICH_SIZE, motion) + _status(health, s))
    frame += bytes([7, 7, 1, 1, 0, 0]) + version.encode("ascii")[:29].ljust(30, b"\0")
    frame += struct.pack("<5f", s.tcp_jerk, 1.0, s.tcp_max_acc, 0.1, 1000.0)
    frame += struct.pack("<5f", s.joint_jerk, 0.01, s.joint_max_acc, 0.0001, 4.0)
    frame += struct.pack("<2f", 2.3, 2.7)  # rotation jerk and acceleration, vendor defaults
    frame += bytes(14 + 2) + bytes([35] * 7)  # no servo or tool code; 35 degC in every joint
    frame += struct.pack("<8f", health.tcp_speed_mm_s, *health.speeds)
    frame += struct.pack(">I", health.counter) + struct.pack("<6f", *s.world_offset)
    frame += bytes([0, 0, 0, s.self_collision, s.tool_type]) + struct.pack("<6f", *s.tool_params)
    frame += struct.pack(">7H", *[4800] * 7) + struct.pack("<7f", *[0.0] * 7)  # 48 V
    # No I/O, no force sensor, no identification running.
    frame += bytes(433 - len(frame)) + _NO_FORCE + bytes(1)
    frame += struct.pack("<3f", *_axis_angle(*motion.tcp_mm_rad[3:6]))
    frame += bytes([s.reduced | s.fence << 1, s.reduced]) + struct.pack(">6h", *s.reduced_box_mm)
    frame += struct.pack("<2f14f", s.reduced_tcp_speed, s.reduced_joint_speed, *s.reduced_range_rad)
    frame += bytes([s.fence, s.rebound]) + bytes(13)
    return bytes(frame)


def tcp_pose(flange: np.ndarray, offset: Sequence[float]) -> tuple[float, ...]:
    """Return x, y, z [mm], roll, pitch, yaw [rad] of the TCP.

    Args:
        flange: T_base_flange (4, 4) [m].
        offset: TCP in the flange frame, x, y, z [mm], roll, pitch, yaw [rad].
    """
    rotation, position = flange[:3, :3], 1000.0 * flange[:3, 3]
    if any(offset):
        position = position + rotation @ np.array(offset[:3])
        rotation = rotation @ _rotation(*offset[3:])
    r = rotation.tolist()
    pitch = math.asin(max(-1.0, min(1.0, -r[2][0])))
    return (*position.tolist(), math.atan2(r[2][1], r[2][2]), pitch, math.atan2(r[1][0], r[0][0]))


def _rotation(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Return Rz(yaw) Ry(pitch) Rx(roll) (3, 3)."""
    cr, sr, cp, sp = math.cos(roll), math.sin(roll), math.cos(pitch), math.sin(pitch)
    cy, sy = math.cos(yaw), math.sin(yaw)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _axis_angle(roll: float, pitch: float, yaw: float) -> tuple[float, float, float]:
    """Return the rotation Rz(yaw) Ry(pitch) Rx(roll) as axis times angle [rad]."""
    cr, sr, cp, sp = (
        math.cos(roll / 2),
        math.sin(roll / 2),
        math.cos(pitch / 2),
        math.sin(pitch / 2),
    )
    cy, sy = math.cos(yaw / 2), math.sin(yaw / 2)
    w = cr * cp * cy + sr * sp * sy
    x, y, z = sr * cp * cy - cr * sp * sy, cr * sp * cy + sr * cp * sy, cr * cp * sy - sr * sp * cy
    sine = math.sqrt(x * x + y * y + z * z)
    scale = 2.0 if sine < 1e-9 else 2.0 * math.atan2(sine, w) / sine
    return scale * x, scale * y, scale * z


def reduced_state(settings: Settings) -> bytes:
    """Return the 79 bytes that answer GET_REDUCED_STATE."""
    s = settings
    head = bytes([s.reduced]) + struct.pack(">6h", *s.reduced_box_mm)
    speeds = struct.pack("<2f14f", s.reduced_tcp_speed, s.reduced_joint_speed, *s.reduced_range_rad)
    return head + speeds + bytes([s.fence, s.rebound])
