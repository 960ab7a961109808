"""What each function code of the control-box protocol does to the emulated box."""

from __future__ import annotations

import struct
from collections.abc import Callable

import numpy as np

from hop_core.errors import DeviceError
from hop_sim.control_box import FIRMWARE, ControlBox
from hop_sim.xarm_protocol import Func, Status, floats, pack_floats, text_field
from hop_sim.xarm_reports import reduced_state

BOX_SERIAL = "AC1300"
_DH = (  # theta offset [rad], d [mm], alpha [rad], a [mm] per joint; source: vendor URDF
    (0.0, 267.0, -np.pi / 2, 0.0),
    (0.0, 0.0, np.pi / 2, 0.0),
    (0.0, 293.0, np.pi / 2, 52.5),
    (0.0, 0.0, np.pi / 2, 77.5),
    (0.0, 342.5, np.pi / 2, 0.0),
    (0.0, 0.0, -np.pi / 2, 76.0),
    (0.0, 97.0, 0.0, 0.0),
)
_RANGE_FLOATS = 14
_LINEAR_SPEED_FACTOR = 1
_ALL_AXES = 8

Handler = Callable[[ControlBox, bytes], bytes]


def execute(box: ControlBox, func: int, payload: bytes) -> tuple[int, bytes]:
    """Carry out one command, whatever a client sends; returns the reply's status byte and data.

    "Not ready" tells whether the box could take the command when it came: a load set while ready
    answers "ok" although the box then leaves that state, as in the vendor's examples.
    """
    not_ready = Status.OK if box.ready else Status.NOT_READY
    handler = _HANDLERS.get(func)
    if handler is None:
        return box.alarms | not_ready | Status.INVALID, b""
    try:
        data = handler(box, payload)
    except (DeviceError, IndexError, ValueError, struct.error):
        # Too short, or a value that the box does not know.
        return box.alarms | not_ready | Status.INVALID, b""
    return box.alarms | not_ready, data


def _motion_enable(box: ControlBox, payload: bytes) -> bytes:
    # The emulated drives are powered together; one axis off is all off.
    if payload[0] == _ALL_AXES or not payload[1]:
        box.enable(bool(payload[1]))
    return b""


def _set_state(box: ControlBox, payload: bytes) -> bytes:
    if not box.set_state(payload[0]):
        raise ValueError(f"state {payload[0]}")
    return b""


def _set_mode(box: ControlBox, payload: bytes) -> bytes:
    if not box.request_mode(payload[0]):
        raise ValueError(f"mode {payload[0]}")
    return b""


def _get_error(box: ControlBox, payload: bytes) -> bytes:
    return bytes([box.error, box.warning])


def _clean_error(box: ControlBox, payload: bytes) -> bytes:
    box.clean_error()
    return b""


def _clean_warning(box: ControlBox, payload: bytes) -> bytes:
    box.warning = 0
    return b""


def _set_brake(box: ControlBox, payload: bytes) -> bytes:
    box.enable(not payload[1])
    return b""


def _servo_joint(box: ControlBox, payload: bytes) -> bytes:
    if box.ready:
        box.servo_joint(np.array(floats(payload, 7)))
    return b""


def _move_joint(box: ControlBox, payload: bytes) -> bytes:
    values = floats(payload, 10)
    if box.ready and len(payload) == 40:  # a longer payload only asks whether the move would do
        box.move_joint(np.array(values[:7]), values[7], values[8])
    return b"" if len(payload) == 40 else bytes(3)


def _move_home(box: ControlBox, payload: bytes) -> bytes:
    speed, acceleration, _ = floats(payload, 3)
    if box.ready:
        box.move_joint(np.zeros(7), speed, acceleration)
    return b""


def _joint_speed(box: ControlBox, payload: bytes) -> bytes:
    speed = floats(payload, 7)
    duration = floats(payload[29:], 1)[0] if len(payload) >= 33 else 0.0
    if box.ready:
        box.joint_speed(np.array(speed), duration)
    return b""


def _joint_states(box: ControlBox, payload: bytes) -> bytes:
    world = box.world
    count = payload[0] & 0x0F if payload else 1
    groups = (world.arm_q, world.arm_qd, world.arm_torque)[: max(count, 1)]
    return np.concatenate(groups).astype("<f4").tobytes()


def _is_joint_limit(box: ControlBox, payload: bytes) -> bytes:
    q = np.array(floats(payload, 7))
    return bytes([not bool(((q >= box.lower) & (q <= box.upper)).all())])


def _setting(name: str, decode: Callable[[bytes], object]) -> Handler:
    """Return a handler that stores a decoded payload as `settings.<name>`: a new configuration."""

    def handler(box: ControlBox, payload: bytes) -> bytes:
        setattr(box.settings, name, decode(payload))
        box.configuration_changed()
        return b""

    return handler


def _sensitivity(payload: bytes) -> int:
    if payload[0] > 5:
        raise ValueError(f"sensitivity {payload[0]} is not in 0..5")
    return payload[0]


def _set_offset(box: ControlBox, payload: bytes) -> bytes:
    box.set_tcp_offset(floats(payload, 6))
    box.configuration_changed()
    return b""


def _set_load(box: ControlBox, payload: bytes) -> bytes:
    box.set_payload(floats(payload, 4))
    box.configuration_changed()
    return b""


def _set_tool(box: ControlBox, payload: bytes) -> bytes:
    count = (len(payload) - 1) // 4
    tool = payload[-1]
    values = floats(payload, min(count, 6))
    box.settings.tool_type = tool
    box.settings.tool_params = (*values, *(0.0,) * (6 - len(values)))
    box.configuration_changed()
    return b""


def _set_common(box: ControlBox, payload: bytes) -> bytes:
    if payload[0] == _LINEAR_SPEED_FACTOR:
        box.trips.speed_factor = floats(payload[1:], 1)[0]
    box.settings.common[payload[0]] = payload[1:]
    box.configuration_changed()
    return b""


def _get_common(box: ControlBox, payload: bytes) -> bytes:
    return box.settings.common.get(payload[0], bytes(4))


def _box_limits(payload: bytes) -> tuple[int, ...]:
    return tuple(int(np.clip(value, -32768, 32767)) for value in struct.unpack_from("<6i", payload))


_HANDLERS: dict[int, Handler] = {
    Func.GET_VERSION: lambda box, _: text_field(f"7,7,{box.arm_serial},{BOX_SERIAL},{FIRMWARE}"),
    Func.GET_ROBOT_SN: lambda box, _: text_field(box.arm_serial, 20) + text_field(BOX_SERIAL, 20),
    Func.MOTION_EN: _motion_enable,
    Func.SET_STATE: _set_state,
    Func.GET_STATE: lambda box, _: bytes([box.state]),
    Func.GET_CMDNUM: lambda box, _: struct.pack(">H", box.queued),
    Func.GET_ERROR: _get_error,
    Func.CLEAN_ERR: _clean_error,
    Func.CLEAN_WAR: _clean_warning,
    Func.SET_BRAKE: _set_brake,
    Func.SET_MODE: _set_mode,
    Func.MOVE_JOINT: _move_joint,
    Func.MOVE_JOINTB: _move_joint,
    Func.MOVE_HOME: _move_home,
    Func.MOVE_SERVOJ: _servo_joint,
    Func.SET_TCP_JERK: _setting("tcp_jerk", lambda p: floats(p, 1)[0]),
    Func.SET_TCP_MAXACC: _setting("tcp_max_acc", lambda p: floats(p, 1)[0]),
    Func.SET_JOINT_JERK: _setting("joint_jerk", lambda p: floats(p, 1)[0]),
    Func.SET_JOINT_MAXACC: _setting("joint_max_acc", lambda p: floats(p, 1)[0]),
    Func.SET_TCP_OFFSET: _set_offset,
    Func.SET_LOAD_PARAM: _set_load,
    Func.SET_COLLIS_SENS: _setting("collision_sensitivity", _sensitivity),
    Func.SET_TEACH_SENS: _setting("teach_sensitivity", _sensitivity),
    Func.CLEAN_CONF: lambda box, _: b"",
    Func.SAVE_CONF: lambda box, _: b"",
    Func.GET_TCP_POSE: lambda box, _: pack_floats(box.tcp_mm_rad()),
    Func.GET_JOINT_POS: _joint_states,
    Func.IS_JOINT_LIMIT: _is_joint_limit,
    Func.SET_REDUCED_TRSV: _setting("reduced_tcp_speed", lambda p: floats(p, 1)[0]),
    Func.SET_REDUCED_P2PV: _setting("reduced_joint_speed", lambda p: floats(p, 1)[0]),
    Func.GET_REDUCED_MODE: lambda box, _: bytes([box.settings.reduced]),
    Func.SET_REDUCED_MODE: _setting("reduced", lambda p: bool(p[0])),
    Func.SET_GRAVITY_DIR: _setting("gravity", lambda p: floats(p, 3)),
    Func.SET_LIMIT_XYZ: _setting("reduced_box_mm", _box_limits),
    Func.GET_REDUCED_STATE: lambda box, _: reduced_state(box.settings),
    Func.GET_JOINT_TAU: lambda box, _: pack_floats(box.world.arm_torque.tolist()),
    Func.SET_REDUCED_JRANGE: _setting("reduced_range_rad", lambda p: floats(p, _RANGE_FLOATS)),
    Func.SET_FENCE_ON: _setting("fence", lambda p: bool(p[0])),
    Func.SET_COLLIS_REB: _setting("rebound", lambda p: bool(p[0])),
    Func.GET_DH: lambda box, _: pack_floats([value for row in _DH for value in row]),
    Func.SET_WORLD_OFFSET: _setting("world_offset", lambda p: floats(p, 6)),
    Func.SET_SELF_COLLIS_CHECK: _setting("self_collision", lambda p: bool(p[0])),
    Func.SET_COLLIS_TOOL: _set_tool,
    Func.VC_SET_JOINTV: _joint_speed,
    Func.SET_COMMON_PARAM: _set_common,
    Func.GET_COMMON_PARAM: _get_common,
    Func.FEEDBACK_CHECK: lambda box, _: b"",
    Func.SET_FEEDBACK_TYPE: lambda box, _: b"",
}
