"""What a driver must know about its device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic

from hop_drivers.device_link import AdapterT


class Device(ABC, Generic[AdapterT]):
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
    def _opened(self) -> None:
        """Forget the last connection; a new one is about to be used by the control loop."""

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
    def _stop(self, adapter: AdapterT) -> None:
        """Stop the device at once, from the e-stop thread.

        Raises DeviceError when not confirmed.
        """
