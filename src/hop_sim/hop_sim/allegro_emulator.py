"""The Allegro hand on a CAN bus, for clients that use python-can's `socketcand` over TCP."""

from __future__ import annotations

import socket
import time

from hop_core.errors import DeviceError
from hop_drivers.allegro_can import Frame
from hop_sim import socketcand
from hop_sim.hand_firmware import HandFirmware
from hop_sim.reactor import Connection, Reactor, Server


class _CanConnection(Connection):
    """One client of the CAN server; `listening` once it has opened the bus and sent a first frame.

    Frames are withheld until then: python-can expects the bare `< ok >` to its last handshake
    message, and a frame glued to it breaks the connection.
    """

    def __init__(self, emulator: AllegroEmulator, reactor: Reactor, sock: socket.socket) -> None:
        super().__init__(reactor, sock, watched=False)
        self._emulator = emulator
        self._cutter = socketcand.MessageCutter()
        self.listening = False
        self.send(socketcand.GREETING)

    def poll(self) -> None:
        """Handle what has arrived; malformed text ends the connection, as with the real server."""
        data = self.receive()
        if not data:
            return
        try:
            for words in self._cutter.feed(data):
                self._handle(words)
        except DeviceError:
            self.close()

    def _handle(self, words: list[bytes]) -> None:
        kind = words[0] if words else b""
        if kind == b"send":
            self.listening = True
            self._emulator.take(socketcand.parse_send(words))
        elif kind in (b"open", b"rawmode"):
            self.send(socketcand.OK)
        elif kind == b"echo":
            self.send(socketcand.ECHO)
        else:
            raise DeviceError(f"socketcand: unknown message {kind!r}")


class AllegroEmulator:
    """One hand on one bus, for any number of clients.

    The clients' sockets are read by `poll` just before the world steps rather than on arrival:
    torques can only act from the next step on, and one wake-up per set replaces four.
    """

    def __init__(self, reactor: Reactor, firmware: HandFirmware, address: str, port: int) -> None:
        """Listen at once.

        Raises:
            TwinError: the port is in use.
        """
        self.firmware = firmware
        self._server = Server(
            reactor,
            address,
            port,
            "hand's CAN bus",
            lambda sock: _CanConnection(self, reactor, sock),
        )

    def poll(self) -> None:
        """Read the clients: commands act from the next step of the world on."""
        for connection in self._clients():
            connection.poll()

    def _clients(self) -> list[_CanConnection]:
        return [c for c in self._server.alive() if isinstance(c, _CanConnection)]

    def take(self, frame: Frame) -> None:
        """Put one frame of the host on the bus."""
        self._broadcast(self.firmware.take(frame))

    def tick(self) -> None:
        """Send the frames that are due after one set of the world."""
        self._broadcast(self.firmware.tick())

    def _broadcast(self, frames: list[Frame]) -> None:
        if not frames:
            return
        now_s = time.time()
        data = b"".join([socketcand.format_frame(frame, now_s) for frame in frames])
        for connection in self._clients():
            if connection.listening:
                connection.send(data, droppable=True)

    def drop_connections(self) -> None:
        """Close every client's connection."""
        self._server.drop_clients()

    @property
    def clients(self) -> int:
        """Number of connected clients."""
        return len(self._server.alive())

    def clear_faults(self) -> None:
        """End silence and over-temperature; the servo stays as it is."""
        self.firmware.silent = False
        self.firmware.cool_down()

    def close(self) -> None:
        """Disconnect everyone and stop listening."""
        self._server.close()
