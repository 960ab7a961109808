"""What the hand's driver needs of a hand, whichever speaks for it."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hop_drivers.allegro_can import HandInfo


class HandAdapter(Protocol):
    """What the hand's driver needs of a hand.

    `receive` and `send_torque` belong to the control loop.
    """

    def open(self) -> None:
        """Connect, identify the hand and start its position stream; raises DeviceError."""

    def receive(self) -> np.ndarray | None:
        """Return the next complete set (16,) [rad].

        None asks to be called again: none was complete within 10 ms, or something else came. Raises
        DeviceError when complete sets have been missing for too long.
        """

    def newest(self) -> tuple[np.ndarray | None, int]:
        """Return the newest complete set (16,) [rad] that waits already, and how many do.

        For the control loop after a stall; raises DeviceError.
        """

    def send_torque(self, counts: np.ndarray) -> None:
        """Send one set of PWM counts (16,) int16; raises DeviceError."""

    def servo(self, on: bool) -> None:
        """Switch the torque stage: on from zero torque, off at once.

        Raises DeviceError when not all of it went out.
        """

    def poll_info(self) -> None:
        """Ask for temperature and status; the answer shows up in `info`."""

    @property
    def info(self) -> HandInfo | None:
        """What the hand last said about itself."""

    @property
    def incomplete_sets(self) -> int:
        """Sets that lost a frame."""

    @property
    def bus_errors(self) -> int:
        """Error frames that the bus reported."""

    def close(self) -> bool:
        """Torque off, stream off, disconnect; returns False if the hand may still be on."""
