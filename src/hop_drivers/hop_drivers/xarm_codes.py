"""Error codes of the xArm control box as sentences, and what an operator can do about each class.

Source: UFACTORY xArm user manual and xArm-Python-SDK `x_code`; C60 from the vendor's answers (it is
in no table).
"""

from __future__ import annotations

from enum import Enum

API_OK = 0
API_HAS_WARNING = 2

STATE_STOPPED = 4
MOTION_STATES = (1, 2)
"""Moving and standby: the states in which a servo target is followed."""
SERVO_MODE = 1

_API = {
    -9: "the box reports an emergency stop",
    -8: "a target is outside the joint limits",
    -2: "the arm is not enabled",
    -1: "the connection is closed",
    1: "the box has an error that was not cleared",
    3: "the box did not answer in time",
    8: "sending failed",
    9: "the arm is not in a state to move",
}

_CONTROLLER = {
    1: "the emergency stop button is pressed",
    2: "the emergency stop input is open",
    3: "the three-state switch is released",
    **{10 + joint: f"servo motor {joint or 'bus'} reports an error" for joint in range(8)},
    18: "the force/torque sensor does not answer",
    19: "the end module does not answer",
    21: "the kinematics failed",
    22: "the arm would collide with itself",
    23: "a joint left its limits",
    24: "a joint exceeded its speed limit",
    25: "the motion planner failed",
    26: "the real-time system of the box failed",
    27: "the box refused a command",
    28: "the end module does not answer",
    30: "the feedback speed is too high",
    31: "a collision was detected by motor current",
    33: "the control box I/O reports an error",
    35: "the arm left its safety boundary",
    36: "the command buffer overflowed",
    37: "manual mode was misused",
    38: "a joint angle is wrong in manual mode",
    39: "the power board does not answer",
    40: "there is no inverse kinematics for the pose",
    60: "the tool exceeded its linear speed limit in servo mode",
    110: "the communication with the arm's base board failed",
    111: "the communication with the control box failed",
}


class Recovery(Enum):
    """What it takes to get out of an error."""

    SERVICE = "call the recover service"
    RELEASE = "release the stop device at the robot, then call the recover service"
    RESTART = "switch the control box off and on, check the arm, then call the recover service"


_RELEASE = {1, 2, 3}
_SERVICE = {22, 23, 24, 31, 35, 60}


def recovery_of(code: int) -> Recovery:
    """Returns what it takes to clear a controller error."""
    if code in _RELEASE:
        return Recovery.RELEASE
    return Recovery.SERVICE if code in _SERVICE else Recovery.RESTART


def describe_error(code: int) -> str:
    """Returns one sentence for a controller error code, with what to do about it."""
    text = _CONTROLLER.get(code, "an error that this driver has no text for")
    return f"xArm error C{code}: {text}; {recovery_of(code).value}"


def describe_api(code: int, call: str) -> str:
    """Returns one sentence for a return code of the SDK."""
    return f"xArm {call} failed with code {code}: {_API.get(code, 'see the SDK manual')}"
