"""A lock that one process of this machine holds for as long as it lives, however it dies."""

from __future__ import annotations

import socket

from hop_core.errors import DeviceError


class SingleInstance:
    """Holds an abstract Unix socket for a key.

    The kernel frees it with the process, so no stale lock file can block a restart.

    Raises:
        DeviceError: another process holds it.
    """

    def __init__(self, key: str, what: str) -> None:
        """Take the lock `key`; `what` names its holder in the error: "a supervisor of domain 7"."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.bind(f"\0hop/{key}")
        except OSError as error:
            self._socket.close()
            raise DeviceError(
                f"{what} runs already on this machine; stop that launch first"
            ) from error

    def release(self) -> None:
        """Give the lock back."""
        self._socket.close()
