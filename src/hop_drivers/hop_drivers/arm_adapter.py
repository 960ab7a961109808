"""What the arm's driver needs of an arm, whichever speaks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, slots=True)
class ArmReading:
    """One polled joint state.

    Attributes:
        q, qd, effort: (7,) [rad, rad/s, Nm], order ARM_JOINTS.
        stamp_ns: when it was read, ROS time.
    """

    q: np.ndarray
    qd: np.ndarray
    effort: np.ndarray
    stamp_ns: int


class ArmAdapter(Protocol):
    """What the arm's driver needs of an arm.

    Every method but `stop` belongs to one caller at a time.
    """

    def open(self) -> None:
        """Connect; raises DeviceError."""

    def read(self) -> ArmReading:
        """Return the joint state as of now; raises DeviceError."""

    def enable(self) -> None:
        """Configure, power the motors and enter servo mode.

        Raises DeviceError, also where the box has an error: `clear` is a step of its own.
        """

    def servo(self, q: np.ndarray) -> None:
        """Send one servo target (7,) [rad]; raises DeviceError when it will not be followed."""

    def fault(self) -> str | None:
        """Return why the arm cannot move although it was enabled, None when it can."""

    def reported_error(self) -> str | None:
        """Return the sentence of an error in the box's newest report; costs no round trip."""

    def error(self) -> str | None:
        """Return the sentence of an error that the box has, or of why it does not say; else None.

        Asks it, and again for a while where it does not answer.
        """

    def halt(self) -> None:
        """Stop moving and leave servo mode; raises DeviceError."""

    def stop(self) -> None:
        """Emergency stop by its own connection; callable from any thread.

        Raises DeviceError when not confirmed.
        """

    def clear(self) -> None:
        """Clear the box's errors; raises DeviceError with what is still in the way."""

    def close(self) -> None:
        """Drop the connections."""
