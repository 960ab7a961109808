"""The xArm control box on TCP: the unmodified vendor SDK connects to it as to the real one."""

from __future__ import annotations

import socket
from collections import deque

from hop_core.errors import DeviceError
from hop_sim import xarm_reports as reports
from hop_sim.box_commands import execute
from hop_sim.control_box import FIRMWARE, ControlBox
from hop_sim.reactor import Connection, Reactor, Server
from hop_sim.xarm_protocol import STANDARD_MODBUS, Framer, encode_modbus_refusal, encode_reply

_NS_PER_S = 1_000_000_000


class _ControlConnection(Connection):
    """One client of the control port."""

    def __init__(self, emulator: XarmEmulator, reactor: Reactor, sock: socket.socket) -> None:
        super().__init__(reactor, sock)
        self._emulator = emulator
        self._framer = Framer()

    def on_data(self, data: bytes) -> None:
        """Answer every complete request; a stream that is not this protocol ends the connection."""
        try:
            requests = self._framer.feed(data)
        except DeviceError:
            self.close()
            return
        for request in requests:
            if request.protocol == STANDARD_MODBUS:
                self._emulator.reply(self, encode_modbus_refusal(request))
            else:
                status, answer = execute(self._emulator.box, request.func, request.payload)
                self._emulator.reply(self, encode_reply(request, status, answer))


class XarmEmulator:
    """Control port and the three report ports of one box, with injectable faults.

    Call `tick` once per step of the world.

    Attributes:
        box: the state machine behind the protocol.
        reports_muted: True stops the report streams without closing them.
    """

    def __init__(self, reactor: Reactor, box: ControlBox, address: str, control_port: int) -> None:
        """Listen on `control_port` and on 30001-30003, which the SDK has built in.

        Raises:
            TwinError: a port is in use.
        """
        self.box = box
        self.reports_muted = False
        self._stalled_until_ns = 0
        self._late: deque[tuple[_ControlConnection, bytes]] = deque()
        self._servers: list[Server] = []
        try:
            self._control = self._listen(reactor, address, control_port, "arm control box", None)
            self._normal = self._listen(
                reactor, address, reports.NORMAL_PORT, "arm report", Connection
            )
            self._rich = self._listen(reactor, address, reports.RICH_PORT, "arm report", Connection)
            self._real = self._listen(reactor, address, reports.REAL_PORT, "arm report", Connection)
        except BaseException:
            self.close()
            raise
        self._next_slow_ns = self._next_real_ns = 0

    def _listen(
        self,
        reactor: Reactor,
        address: str,
        port: int,
        name: str,
        connection: type[Connection] | None,
    ) -> Server:
        def connect(sock: socket.socket) -> Connection:
            if connection is None:
                return _ControlConnection(self, reactor, sock)
            return connection(reactor, sock)

        server = Server(reactor, address, port, name, connect)
        self._servers.append(server)
        return server

    def reply(self, connection: _ControlConnection, data: bytes) -> None:
        """Send a reply now, or after the injected stall."""
        if self._stalled_until_ns:
            self._late.append((connection, data))
        else:
            connection.send(data)

    def stall(self, duration_ns: int, now_ns: int) -> None:
        """Hold back all replies for `duration_ns` from `now_ns`; commands are still carried out."""
        self._stalled_until_ns = now_ns + duration_ns

    def drop_connections(self) -> None:
        """Close every client's connections, as a box that loses power does."""
        for server in self._servers:
            server.drop_clients()

    @property
    def clients(self) -> int:
        """Number of connected clients of the control port."""
        return len(self._control.alive())

    def clear_faults(self) -> None:
        """End stall and mute, release the e-stop button; the error itself stays until cleaned."""
        self._stalled_until_ns = 0
        self.reports_muted = False
        self.box.estop = False

    def tick(self, now_ns: int) -> None:
        """Send what is due at `now_ns` of the monotonic clock: late replies and reports."""
        if now_ns >= self._stalled_until_ns:
            self._stalled_until_ns = 0
            while self._late:
                connection, data = self._late.popleft()
                connection.send(data)
        if now_ns >= self._next_real_ns:
            self._next_real_ns = max(self._next_real_ns + int(_NS_PER_S / reports.REAL_HZ), now_ns)
            if self._real.alive() and not self.reports_muted:
                self._push(self._real, reports.real_report(self.box.motion()))
        if now_ns >= self._next_slow_ns:
            self._next_slow_ns = max(self._next_slow_ns + int(_NS_PER_S / reports.RICH_HZ), now_ns)
            self._push_slow()

    def _push_slow(self) -> None:
        if self.reports_muted or not (self._normal.alive() or self._rich.alive()):
            return
        motion, health, settings = self.box.motion(), self.box.health(), self.box.settings
        self._push(self._normal, reports.normal_report(motion, health, settings))
        if self._rich.alive():
            self._push(self._rich, reports.rich_report(motion, health, settings, FIRMWARE))

    @staticmethod
    def _push(server: Server, frame: bytes) -> None:
        for connection in server.alive():
            connection.send(frame, droppable=True)

    def close(self) -> None:
        """Disconnect everyone and stop listening."""
        for server in self._servers:
            server.close()
