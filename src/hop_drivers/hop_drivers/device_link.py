"""The connection of a driver to its device: made, lost, made anew."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from hop_core.errors import DeviceError


class Adapter(Protocol):
    """What speaks to a device; one for each connection."""

    def open(self) -> None:
        """Connect; raises DeviceError."""

    def close(self) -> bool | None:
        """Let go of the device, connected or not; False: it may not have come to rest."""


AdapterT = TypeVar("AdapterT", bound=Adapter)


class DeviceLink(Generic[AdapterT]):
    """Holds the adapter of one device.

    A lost adapter is kept until the next try to connect: a stop may still get through it. `adapter`
    and `lose` belong to the control loop, `open` and `close` to the worker, `stop` to the thread
    that stops.

    Attributes:
        adapter: the connected one; None while there is none.
    """

    def __init__(self, name: str, make: Callable[[], AdapterT], last_resort: str) -> None:
        """Make adapters of the device `name` by `make`; `last_resort`: what stops it by hand."""
        self._name, self._make, self._last_resort = name, make, last_resort
        self._in_use = threading.Lock()  # nothing is closed under a stop
        self.adapter: AdapterT | None = None
        self._lost: AdapterT | None = None

    def open(self, ready: Callable[[], None]) -> None:
        """Close what there was and connect; `ready` is called before the adapter is in use.

        Raises:
            DeviceError: the device does not answer; nothing stays open.
        """
        self.close()
        adapter = self._make()
        adapter.open()
        ready()
        self.adapter = adapter

    def lose(self, adapter: AdapterT) -> None:
        """Take `adapter`, the present one, out of use."""
        self._lost, self.adapter = adapter, None

    def present(self) -> AdapterT:
        """Return the connected adapter.

        Raises:
            DeviceError: there is none.
        """
        adapter = self.adapter
        if adapter is None:
            raise DeviceError(f"{self._name} is not connected")
        return adapter

    def stop(self, stop: Callable[[AdapterT], None]) -> None:
        """Call `stop` with the adapter, or with the one that was lost.

        Raises:
            DeviceError: there is neither, or the stop is not confirmed.
        """
        with self._in_use:
            adapter = self.adapter or self._lost
            if adapter is None:
                raise DeviceError(
                    f"the stop of {self._name} is not confirmed: it is not connected; "
                    f"{self._last_resort}"
                )
            stop(adapter)

    def close(self) -> bool:
        """Let go of the device; returns False if it may not have come to rest."""
        with self._in_use:
            rests = True
            for adapter in (self._lost, self.adapter):
                if adapter is not None:
                    rests = adapter.close() is not False and rests
            self._lost = self.adapter = None
        return rests
