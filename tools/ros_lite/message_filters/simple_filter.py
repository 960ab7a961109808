"""Base of all filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class SimpleFilter:
    """Passes messages on to callbacks."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., None], *args: Any) -> int:
        """Call `cb(*messages, *args)` for each output; return the callback's number."""
        number = len(self.callbacks)
        self.callbacks[number] = (cb, args)
        return number

    def signalMessage(self, *msg: Any) -> None:
        """Pass an output on."""
        for callback, args in self.callbacks.values():
            callback(*msg, *args)
