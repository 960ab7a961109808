"""The xArm control box's private protocol: framing and function codes, as pure functions.

Source: vendor SDK xarm-python-sdk 1.18 (core/wrapper, core/comm, x3/report). Floats are
little-endian, integers big-endian, except the 32-bit integers of boundary and parameter commands.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from hop_core.errors import DeviceError

MAX_PAYLOAD = 1024
STANDARD_MODBUS, HEARTBEAT, PRIVATE, PRIVATE_KEEP_ALIVE = 0, 1, 2, 3
_HEADER = struct.Struct(">HHH")
_REPLY = struct.Struct(">HHHBB")


class Func(IntEnum):
    """Function codes that the emulated box answers."""

    GET_VERSION = 1
    GET_ROBOT_SN = 2
    MOTION_EN = 11
    SET_STATE = 12
    GET_STATE = 13
    GET_CMDNUM = 14
    GET_ERROR = 15
    CLEAN_ERR = 16
    CLEAN_WAR = 17
    SET_BRAKE = 18
    SET_MODE = 19
    MOVE_JOINT = 23
    MOVE_JOINTB = 24
    MOVE_HOME = 25
    MOVE_SERVOJ = 29
    SET_TCP_JERK = 31
    SET_TCP_MAXACC = 32
    SET_JOINT_JERK = 33
    SET_JOINT_MAXACC = 34
    SET_TCP_OFFSET = 35
    SET_LOAD_PARAM = 36
    SET_COLLIS_SENS = 37
    SET_TEACH_SENS = 38
    CLEAN_CONF = 39
    SAVE_CONF = 40
    GET_TCP_POSE = 41
    GET_JOINT_POS = 42
    IS_JOINT_LIMIT = 45
    SET_REDUCED_TRSV = 47
    SET_REDUCED_P2PV = 48
    GET_REDUCED_MODE = 49
    SET_REDUCED_MODE = 50
    SET_GRAVITY_DIR = 51
    SET_LIMIT_XYZ = 52
    GET_REDUCED_STATE = 53
    GET_JOINT_TAU = 55
    SET_REDUCED_JRANGE = 58
    SET_FENCE_ON = 59
    SET_COLLIS_REB = 60
    GET_DH = 67
    SET_WORLD_OFFSET = 73
    SET_SELF_COLLIS_CHECK = 77
    SET_COLLIS_TOOL = 78
    VC_SET_JOINTV = 81
    SET_COMMON_PARAM = 232
    GET_COMMON_PARAM = 233
    FEEDBACK_CHECK = 253
    SET_FEEDBACK_TYPE = 254


class Status(IntFlag):
    """Status byte of a reply."""

    OK = 0
    INVALID = 0x08
    NOT_READY = 0x10
    WARNING = 0x20
    ERROR = 0x40


@dataclass(frozen=True, slots=True)
class Request:
    """One request frame."""

    transaction: int
    protocol: int
    func: int
    payload: bytes


class Framer:
    """Cuts a TCP byte stream into requests."""

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self._buffer = b""

    def feed(self, data: bytes) -> list[Request]:
        """Return the requests completed by `data`; heartbeat frames are swallowed.

        Raises:
            DeviceError: the length field is impossible: the stream is not this protocol and cannot
                be followed.
        """
        buffer = self._buffer + data if self._buffer else data
        requests, at = [], 0
        while len(buffer) - at >= _HEADER.size:
            transaction, protocol, length = _HEADER.unpack_from(buffer, at)
            if not 1 <= length <= MAX_PAYLOAD:
                raise DeviceError(
                    f"xArm protocol: a frame of length {length} is impossible (1..{MAX_PAYLOAD})"
                )
            end = at + _HEADER.size + length
            if len(buffer) < end:
                break
            if protocol != HEARTBEAT:
                func = buffer[at + _HEADER.size]
                requests.append(
                    Request(transaction, protocol, func, buffer[at + _HEADER.size + 1 : end])
                )
            at = end
        self._buffer = buffer[at:]
        return requests


def encode_reply(request: Request, status: int, data: bytes = b"") -> bytes:
    """Return the reply: the request's transaction, protocol and function, then status and data."""
    return (
        _REPLY.pack(request.transaction, request.protocol, 2 + len(data), request.func, status)
        + data
    )


def encode_modbus_refusal(request: Request) -> bytes:
    """Return the standard Modbus exception 1 (illegal function): there are no registers here."""
    function = request.payload[0] if request.payload else 0
    header = _HEADER.pack(request.transaction, STANDARD_MODBUS, 3)
    return header + bytes([request.func, (function | 0x80) & 0xFF, 1])


def floats(payload: bytes, count: int) -> tuple[float, ...]:
    """Return the first `count` float32 of a payload.

    Raises:
        DeviceError: it is shorter.
    """
    if len(payload) < 4 * count:
        raise DeviceError(
            f"xArm protocol: {count} floats need {4 * count} bytes, got {len(payload)}"
        )
    return struct.unpack_from(f"<{count}f", payload)


def pack_floats(values: Sequence[float]) -> bytes:
    """Return `values` as float32."""
    return struct.pack(f"<{len(values)}f", *values)


def text_field(text: str, size: int = 40) -> bytes:
    """Return `text` as a C string of `size` bytes."""
    return text.encode("ascii")[: size - 1].ljust(size, b"\0")
