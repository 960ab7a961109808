"""Codec of the Allegro Hand V4 CAN protocol, both directions, without any I/O.

The driver encodes commands and decodes replies; the digital twin's hand does the reverse with the
same functions.

Source: Wonik Robotics, Allegro Hand V4 CAN protocol (11-bit identifiers, 1 Mbit/s, little-endian
payload).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from math import pi

import numpy as np

from hop_core.errors import DeviceError

FINGERS = 4
JOINTS_PER_FINGER = 4
JOINTS = FINGERS * JOINTS_PER_FINGER
RAD_PER_COUNT = 333.3 / 65536.0 * pi / 180.0
"""Joint angle of one position count [rad].

Source: Allegro Hand V4 CAN protocol, position message.
"""

_INT16_LIMIT = 32767
_FINGER = struct.Struct("<4h")
_PERIOD = struct.Struct("<3H")
_INFO = struct.Struct("<7B")


class MsgId(IntEnum):
    """Message numbers; the arbitration id is `(msg_id << 2) | device_id`.

    Finger messages add the finger 0..3.
    """

    POSITION = 0x20
    IMU = 0x30
    TEMPERATURE = 0x38
    SERVO_ON = 0x40
    SERVO_OFF = 0x41
    TORQUE = 0x60
    CONFIG = 0x68
    INFO = 0x80
    PERIOD = 0x81
    SERIAL = 0x88


class Side(IntEnum):
    """Handedness as the INFO message reports it."""

    RIGHT = 0
    LEFT = 1


class Status(IntFlag):
    """Status byte of the INFO message."""

    SERVO_ON = 1
    OVER_TEMPERATURE = 2
    INTERNAL_COMMUNICATION = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One CAN frame: identifier, payload of 0-8 bytes, and whether it is a remote request (RTR)."""

    arbitration_id: int
    data: bytes = b""
    is_remote: bool = False


@dataclass(frozen=True, slots=True)
class HandInfo:
    """What the hand tells about itself.

    Attributes:
        hardware: hardware version (major, minor).
        firmware: firmware version (major, minor).
        side: handedness.
        temperature_c: board temperature [degC].
        status: servo and fault bits.
    """

    hardware: tuple[int, int]
    firmware: tuple[int, int]
    side: Side
    temperature_c: int
    status: Status


def arbitration_id(msg_id: int, device_id: int = 0) -> int:
    """Returns the 11-bit identifier of a message number (finger already added) at a device 0..3."""
    return (int(msg_id) << 2) | device_id


def split_id(identifier: int) -> tuple[int, int]:
    """Returns (message number, device id) of an 11-bit identifier."""
    return identifier >> 2, identifier & 0b11


def finger_of(msg_id: int, base: MsgId) -> int | None:
    """Returns the finger 0..3 of a message number of the family `base`, None for another family."""
    finger = msg_id - base
    return finger if 0 <= finger < FINGERS else None


def servo_frame(on: bool, device_id: int = 0) -> Frame:
    """Returns the command that switches the torque stage on or off."""
    return Frame(arbitration_id(MsgId.SERVO_ON if on else MsgId.SERVO_OFF, device_id))


def period_frame(
    position_ms: int, imu_ms: int = 0, temperature_ms: int = 0, device_id: int = 0
) -> Frame:
    """Returns the command that sets the periods of the hand's own messages [ms].

    0 switches one off.
    """
    return Frame(
        arbitration_id(MsgId.PERIOD, device_id), _PERIOD.pack(position_ms, imu_ms, temperature_ms)
    )


def request_frame(msg_id: MsgId, device_id: int = 0) -> Frame:
    """Returns the remote request for INFO or SERIAL."""
    return Frame(arbitration_id(msg_id, device_id), b"", is_remote=True)


def torque_frames(counts: np.ndarray, device_id: int = 0) -> list[Frame]:
    """Returns the four torque commands of one set.

    Args:
        counts: (16,) PWM counts, wire order (index, middle, ring, thumb; base to tip).
        device_id: CAN device 0..3.

    Raises:
        DeviceError: if the counts have another size or do not fit 16 bits.
    """
    return _finger_frames(counts, MsgId.TORQUE, device_id)


def position_frames(counts: np.ndarray, device_id: int = 0) -> list[Frame]:
    """Returns the four position messages of one set, as the hand sends them.

    `counts` as in `torque_frames`.
    """
    return _finger_frames(counts, MsgId.POSITION, device_id)


def _finger_frames(counts: np.ndarray, base: MsgId, device_id: int) -> list[Frame]:
    values = np.asarray(counts)
    if values.shape != (JOINTS,):
        raise DeviceError(f"Allegro CAN: a set has {JOINTS} values, got shape {values.shape}")
    if not np.all(np.isfinite(values)) or np.max(np.abs(values)) > _INT16_LIMIT:
        raise DeviceError(
            "Allegro CAN: a value is not finite or does not fit 16 bits; nothing was sent"
        )
    payload = values.astype("<i2").tobytes()
    return [
        Frame(arbitration_id(base + finger, device_id), payload[8 * finger : 8 * finger + 8])
        for finger in range(FINGERS)
    ]


def decode_finger(data: bytes) -> tuple[int, int, int, int]:
    """Returns the four 16-bit values of a position or torque message.

    Raises:
        DeviceError: if the payload is not 8 bytes.
    """
    if len(data) != _FINGER.size:
        raise DeviceError(f"Allegro CAN: a finger message has 8 bytes, got {len(data)}")
    return _FINGER.unpack(data)


def decode_period(data: bytes) -> tuple[int, int, int]:
    """Returns (position, imu, temperature) periods [ms].

    Raises DeviceError on a payload that is not 6 bytes.
    """
    if len(data) != _PERIOD.size:
        raise DeviceError(f"Allegro CAN: a period message has 6 bytes, got {len(data)}")
    return _PERIOD.unpack(data)


def info_frame(info: HandInfo, device_id: int = 0) -> Frame:
    """Returns the INFO reply, as the hand sends it."""
    data = _INFO.pack(*info.hardware, *info.firmware, info.side, info.temperature_c, info.status)
    return Frame(arbitration_id(MsgId.INFO, device_id), data)


def decode_info(data: bytes) -> HandInfo:
    """Returns what an INFO reply says.

    Raises:
        DeviceError: if the payload is shorter than 7 bytes or names an unknown handedness.
    """
    if len(data) < _INFO.size:
        raise DeviceError(f"Allegro CAN: an INFO reply has at least 7 bytes, got {len(data)}")
    hw_low, hw_high, fw_low, fw_high, side, temperature_c, status = _INFO.unpack_from(data)
    if side not in (Side.RIGHT, Side.LEFT):
        raise DeviceError(
            f"Allegro CAN: hand type {side} in the INFO reply is neither right (0) nor left (1)"
        )
    return HandInfo((hw_low, hw_high), (fw_low, fw_high), Side(side), temperature_c, Status(status))


def serial_frame(serial: str, device_id: int = 0) -> Frame:
    """Returns the SERIAL reply (8 ASCII characters, zero-padded), as the hand sends it."""
    return Frame(
        arbitration_id(MsgId.SERIAL, device_id), serial.encode("ascii")[:8].ljust(8, b"\0")
    )


def decode_serial(data: bytes) -> str:
    """Returns the serial number of a SERIAL reply."""
    return data.rstrip(b"\0").decode("ascii", errors="replace")


def radians_to_counts(q_rad: Sequence[float] | np.ndarray) -> np.ndarray:
    """Returns position counts (int16) of joint angles [rad], saturated at 16 bits."""
    counts = np.rint(np.asarray(q_rad, dtype=np.float64) / RAD_PER_COUNT)
    return np.clip(counts, -_INT16_LIMIT, _INT16_LIMIT).astype(np.int16)
