"""Client of the twin's control channel."""

from __future__ import annotations

import json
import socket
import time
from typing import Any

from hop_core.closing import Closing
from hop_core.errors import TwinError
from hop_sim.control_schema import (
    Clear,
    Hello,
    Inject,
    Shutdown,
    State,
    Success,
    parse_fault,
    parse_reset,
)

_RETRY_S = 0.05


class TwinClient(Closing):
    """Talks to one running twin. Use as a context manager, or call `close`."""

    def __init__(
        self, address: str, port: int, timeout_s: float = 5.0, wait_s: float = 0.0
    ) -> None:
        """Connect.

        Args:
            address: loopback address of the twin.
            port: of its control channel.
            timeout_s: longest wait for one reply.
            wait_s: keep trying this long while nobody listens yet.

        Raises:
            TwinError: no twin answers there.
        """
        self._where = f"{address}:{port}"
        give_up = time.monotonic() + wait_s
        while True:
            try:
                self._sock = socket.create_connection((address, port), timeout=timeout_s)
                break
            except (OSError, UnicodeError) as error:  # the latter of a name that can be none
                if time.monotonic() >= give_up:
                    raise TwinError(
                        f"no twin answers at {self._where} ({error}); start it with "
                        "'hop twin run' or pass its --address"
                    ) from error
                time.sleep(_RETRY_S)
        self._file = self._sock.makefile("rb")

    def close(self) -> None:
        """Close the connection."""
        self._file.close()
        self._sock.close()

    def _ask(self, request: Any) -> dict[str, Any]:
        try:
            self._sock.sendall(request.model_dump_json().encode() + b"\n")
            line = self._file.readline()
        except OSError as error:
            raise TwinError(
                f"the twin at {self._where} does not answer ({error}); is it still running?"
            ) from error
        if not line:
            raise TwinError(
                f"the twin at {self._where} closed the connection; it has probably ended"
            )
        try:
            reply = dict(json.loads(line))
            done, error_told = reply.pop("ok"), reply.get("error", "")
        except (ValueError, TypeError, KeyError) as error:
            raise TwinError(
                f"what answers at {self._where} is no twin; pass another --address"
            ) from error
        if not done:
            raise TwinError(error_told)
        return reply

    def hello(self) -> dict[str, Any]:
        """Return versions, model_hash, state_file, task, and the camera's configuration."""
        return self._ask(Hello())

    def reset(self, seed: int, **options: Any) -> dict[str, Any]:
        """Begin an episode; options as in `control_schema.Reset`. Returns what was drawn.

        Raises:
            TwinError: an option is wrong, or the twin refuses it.
        """
        return self._ask(parse_reset({"seed": seed, **options}))

    def state(self) -> dict[str, Any]:
        """Return the ground truth."""
        return self._ask(State())

    def success(self) -> dict[str, Any]:
        """Return the task's record of this episode; `success` is a bool."""
        return self._ask(Success())

    def inject(self, fault: str, /, **values: Any) -> dict[str, Any]:
        """Make a device fail; faults and their values as in `control_schema`."""
        return self._ask(Inject(fault=parse_fault({**values, "fault": fault})))

    def clear(self) -> dict[str, Any]:
        """End all injected faults."""
        return self._ask(Clear())

    def shutdown(self) -> dict[str, Any]:
        """End the twin."""
        return self._ask(Shutdown())
