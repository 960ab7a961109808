"""The HTTP and WebSocket server of the page: one address, no way out of the machine."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import rich
import viser

from hop_core.errors import ViewError


class LocalServer(viser.ViserServer):
    """A viser server that cannot be asked to open a tunnel to the internet."""

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Refuse: what is looked at stays on this machine."""
        return None


@contextmanager
def local_server(host: str, port: int) -> Iterator[LocalServer]:
    """Serve viser's page at `host` and `port` (0: any free one); stop at the end.

    Raises:
        ViewError: the port is in use or not allowed, or the host is not this machine's.
    """
    _require_free(host, port)
    console = rich.get_console()
    quiet, console.quiet = console.quiet, True  # viser prints a banner; our command says it
    try:
        server = LocalServer(host=host, port=port, verbose=False)
        try:
            if port not in (0, server.get_port()):  # viser goes on to the next port by itself
                raise ViewError(_in_use(host, port))
            yield server
        finally:
            server.stop()
    finally:
        console.quiet = quiet


def _require_free(host: str, port: int) -> None:
    """Pass if a server can listen there: viser itself would try other ports, a thousand of them."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except (OSError, UnicodeError) as error:  # the latter of a name that can be none
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise ViewError(_in_use(host, port)) from error
        reason = error.strerror if isinstance(error, OSError) else "that is no address"
        raise ViewError(
            f"cannot listen on {host}, port {port}: {reason}; name this machine's own "
            "address with --host and a port from 1024 to 65535 with --port"
        ) from error


def _in_use(host: str, port: int) -> str:
    return f"port {port} of {host} is in use by another program; name another with --port"
