"""What a driver must know about its device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping


class Device(ABC):
    """The device-specific half of a driver: the worker calls these, the e-stop thread `_stop`."""

    @property
    @abstractmethod
    def running(self) -> bool:
        """Whether the control loop is alive (or was never started)."""

    @property
    def loop_error(self) -> str:
        """What ended the control loop, in words."""
        return "see the traceback above"

    @abstractmethod
    def diagnostics(self) -> Mapping[str, object]:
        """Return figures for /diagnostics."""

    @abstractmethod
    def _connect(self) -> None:
        """Open a new device object; raises DeviceError."""

    @abstractmethod
    def _connected(self) -> bool:
        """Whether the control loop has a device."""

    @abstractmethod
    def _enable(self) -> None:
        """Make the device ready to follow commands; raises DeviceError."""

    @abstractmethod
    def _disable(self) -> None:
        """Make the device stand still; raises DeviceError."""

    @abstractmethod
    def _clear(self) -> None:
        """Clear the device's own errors; raises DeviceError with what is in the way."""

    @abstractmethod
    def _stop(self) -> None:
        """Stop the device at once, from the e-stop thread.

        Raises DeviceError when not confirmed.
        """

    @abstractmethod
    def _release(self) -> None:
        """Close the device."""
