"""The twin's control channel: JSON lines on a loopback socket.

A reply is `{"ok": true, ...}` or `{"ok": false, "error": "one sentence"}`.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from typing import Any

from hop_core.errors import HopError
from hop_sim.control_schema import MAX_LINE, parse_request
from hop_sim.reactor import Connection, Reactor, Server

Handler = Callable[[Any], dict[str, Any]]


class _ControlClient(Connection):
    """One client: requests in, one reply line each."""

    def __init__(self, handle: Handler, reactor: Reactor, sock: socket.socket) -> None:
        super().__init__(reactor, sock)
        self._handle = handle
        self._buffer = b""

    def on_data(self, data: bytes) -> None:
        """Answer every complete line; one beyond 64 KiB gets an error and ends the connection."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if line.strip():
                self._reply(line)
        if len(self._buffer) > MAX_LINE:
            self._send(
                {
                    "ok": False,
                    "error": f"twin control channel: a request is longer than {MAX_LINE} bytes",
                }
            )
            self.close()

    def _reply(self, line: bytes) -> None:
        try:
            reply = {"ok": True, **self._handle(parse_request(line))}
        except HopError as error:
            reply = {"ok": False, "error": str(error)}
        self._send(reply)

    def _send(self, reply: dict[str, Any]) -> None:
        self.send(json.dumps(reply).encode() + b"\n")


class ControlChannel:
    """Serves `handle`, which gets a validated request and returns a reply or raises a HopError."""

    def __init__(self, reactor: Reactor, handle: Handler, address: str, port: int) -> None:
        """Listen at once.

        Raises:
            TwinError: the port is in use.
        """
        self._server = Server(
            reactor,
            address,
            port,
            "twin control",
            lambda sock: _ControlClient(handle, reactor, sock),
        )

    def close(self) -> None:
        """Disconnect everyone and stop listening."""
        self._server.close()
