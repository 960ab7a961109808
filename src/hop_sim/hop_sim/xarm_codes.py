"""Numbers of the control box: modes, states, errors. Source: vendor SDK and manual."""

from __future__ import annotations

from enum import IntEnum

MODES = frozenset(range(12)) - {3, 8, 9, 10}
"""Control modes that the box accepts."""


class Mode(IntEnum):
    """Control modes that move the arm here."""

    POSITION = 0
    SERVO = 1
    JOINT_SPEED = 4
    ONLINE = 6


class State(IntEnum):
    """States that the box reports."""

    MOVING = 1
    STANDBY = 2
    PAUSED = 3
    STOPPED = 4
    CONFIG_CHANGED = 5


class SetState(IntEnum):
    """What SET_STATE may ask for."""

    READY = 0
    PAUSE = 3
    STOP = 4
    DECELERATE = 6


class Fault(IntEnum):
    """Controller errors that the emulated box raises by itself."""

    ESTOP_BUTTON = 1
    JOINT_LIMIT = 23
    COLLISION = 31
    SAFETY_BOUNDARY = 35
    LINEAR_SPEED = 60


POWER_OFF_ERRORS = frozenset({1, 2, 3, *range(10, 18), 39})
"""Errors that cut the drives' power: e-stops, servos, power board. Others only stop the arm."""
