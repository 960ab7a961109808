"""The states that a robot and its parts can be in, as published on `/hop/state`."""

from __future__ import annotations

from enum import StrEnum


class HopState(StrEnum):
    """State of the supervisor or of one driver.

    DISCONNECTED: a device is missing. IDLE: all there, nothing may move. ARMING: drivers are being
    armed. ARMED: holding, no source in charge. ACTIVE: following a source. HOLD: holding because
    targets stopped. FAULT: stopped until `recover`. ESTOP: stopped until `clear_estop`.
    """

    DISCONNECTED = "DISCONNECTED"
    IDLE = "IDLE"
    ARMING = "ARMING"
    ARMED = "ARMED"
    ACTIVE = "ACTIVE"
    HOLD = "HOLD"
    FAULT = "FAULT"
    ESTOP = "ESTOP"

    @property
    def may_move(self) -> bool:
        """Whether a command may reach a motor in this state."""
        return self in (HopState.ARMED, HopState.ACTIVE, HopState.HOLD)


HOME_REACHED = "home reached"
"""What the supervisor's `progress` says at the end of the way home; not where that was blocked."""


class Source(StrEnum):
    """Who has the robot."""

    NONE = "none"
    POLICY = "policy"
    TELEOP = "teleop"
    HOME = "home"
