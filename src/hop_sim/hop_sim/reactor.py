"""One thread for all of the twin's sockets: serves them until the physics is due.

A single `select` wakes with microsecond resolution, needs no lock around the world, and costs a
fraction of one thread per client.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable

from hop_core.errors import TwinError

_NS_PER_S = 1_000_000_000
RECEIVE_BYTES = 65536
_BACKLOG_BYTES = 1 << 20


class Reactor:
    """Sockets and what to call when one of them has something to read."""

    def __init__(self) -> None:
        """Start without sockets."""
        self._handlers: dict[socket.socket, Callable[[], None]] = {}

    def add(self, sock: socket.socket, on_readable: Callable[[], None]) -> None:
        """Call `on_readable` whenever `sock` can be read or accepted from."""
        self._handlers[sock] = on_readable

    def remove(self, sock: socket.socket) -> None:
        """Forget `sock`; not an error if it is unknown."""
        self._handlers.pop(sock, None)

    def run_until(self, deadline_ns: int) -> None:
        """Serve sockets until `deadline_ns` (monotonic); once, without waiting, if it is past."""
        while True:
            wait_s = max(0, deadline_ns - time.monotonic_ns()) / _NS_PER_S
            readable, _, _ = select.select(list(self._handlers), (), (), wait_s)
            for sock in readable:
                handler = self._handlers.get(sock)  # an earlier handler may have closed this one
                if handler is not None:
                    handler()
            if not readable or time.monotonic_ns() >= deadline_ns:
                return


class Connection:
    """One accepted client: non-blocking, with a bounded queue for what the client has not read yet.

    Attributes:
        closed: True once either side has ended it.
    """

    def __init__(self, reactor: Reactor, sock: socket.socket, watched: bool = True) -> None:
        """Take over `sock`; `watched=False` leaves reading to explicit calls of `receive`."""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reactor = reactor
        self._sock = sock
        self._unsent = b""
        self.closed = False
        if watched:
            reactor.add(sock, self.on_readable)

    def on_readable(self) -> None:
        """Handle what has arrived; subclasses define `on_data`."""
        data = self.receive()
        if data:
            self.on_data(data)

    def on_data(self, data: bytes) -> None:
        """Take received bytes; a client that is only written to ignores them."""

    def receive(self) -> bytes:
        """Return what has arrived, if anything; close when the peer has ended the connection."""
        try:
            data = self._sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return b""
        except OSError:
            data = b""
        if not data:
            self.close()
        return data

    def send(self, data: bytes, droppable: bool = False) -> None:
        """Send or queue `data`; a `droppable` one is left out whole while the client does not read.

        A client that leaves 1 MB unread is disconnected.
        """
        if self.closed or (droppable and self._unsent and not self._flush()):
            return
        self._unsent += data
        self._flush()
        if len(self._unsent) > _BACKLOG_BYTES:
            self.close()

    def _flush(self) -> bool:
        try:
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        except BlockingIOError:
            return False
        except OSError:
            self.close()
        return not self._unsent

    def close(self) -> None:
        """End the connection."""
        if not self.closed:
            self.closed = True
            self._reactor.remove(self._sock)
            self._sock.close()


class Server:
    """A listening socket that turns every client into a connection.

    Attributes:
        connections: clients at present (closed ones are dropped when the next one arrives or on
            `alive`).
    """

    def __init__(
        self,
        reactor: Reactor,
        address: str,
        port: int,
        name: str,
        connect: Callable[[socket.socket], Connection],
    ) -> None:
        """Listen at once.

        Raises:
            TwinError: the port is in use or the address is not of this machine.
        """
        self._reactor = reactor
        self._connect = connect
        self.connections: list[Connection] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._sock.bind((address, port))
            self._sock.listen(8)
        except OSError as error:
            self._sock.close()
            raise TwinError(
                f"cannot listen on {address}:{port} ({name}): {error.strerror}; stop the other "
                "twin or give this one another loopback address, such as --address 127.0.0.2"
            ) from error
        self._sock.setblocking(False)
        reactor.add(self._sock, self._accept)

    def _accept(self) -> None:
        try:
            sock, _ = self._sock.accept()
        except OSError:  # the client left between the wake-up and the accept
            return
        self.connections = [*self.alive(), self._connect(sock)]

    def alive(self) -> list[Connection]:
        """Return the open connections."""
        if any(connection.closed for connection in self.connections):
            self.connections = [
                connection for connection in self.connections if not connection.closed
            ]
        return self.connections

    def drop_clients(self) -> None:
        """Disconnect everyone; new clients may come."""
        for connection in self.connections:
            connection.close()
        self.connections = []

    def close(self) -> None:
        """Disconnect everyone and stop listening."""
        self.drop_clients()
        self._reactor.remove(self._sock)
        self._sock.close()
