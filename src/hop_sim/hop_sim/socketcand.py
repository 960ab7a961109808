"""The socketcand text protocol, the server's half: CAN frames over TCP as `< frame ID time data >`.

Source: python-can 4.6, interfaces/socketcand (the client that must understand it), and
linux-can/socketcand's protocol text.
"""

from __future__ import annotations

from hop_core.errors import DeviceError
from hop_drivers.allegro_can import Frame

GREETING = b"< hi >"
OK = b"< ok >"
ECHO = b"< echo >"
_MAX_MESSAGE = 256


class MessageCutter:
    """Cuts a byte stream into the words of complete `< ... >` messages."""

    def __init__(self) -> None:
        """Start with an empty buffer."""
        self._buffer = b""

    def feed(self, data: bytes) -> list[list[bytes]]:
        """Return the messages completed by `data`, each as its words.

        Raises:
            DeviceError: a message does not end within 256 bytes: the stream cannot be followed.
        """
        parts = (self._buffer + data).split(b">")
        self._buffer = parts.pop()
        if len(self._buffer) > _MAX_MESSAGE:
            raise DeviceError(f"socketcand: a message has no '>' within {_MAX_MESSAGE} bytes")
        return [part.replace(b"<", b" ").split() for part in parts]


def parse_send(words: list[bytes]) -> Frame:
    """Return the frame of a `send ID DLC BYTE...` message; remote requests come without data.

    Raises:
        DeviceError: it is malformed.
    """
    try:
        identifier, length = int(words[1], 16), int(words[2], 16)
        data = bytes([int(word, 16) for word in words[3:]])
    except (IndexError, ValueError) as error:
        raise DeviceError(f"socketcand: malformed send {b' '.join(words)!r}") from error
    if length != len(data) or length > 8:
        raise DeviceError(f"socketcand: {len(data)} bytes in a frame that announces {length}")
    return Frame(identifier, data)


def format_frame(frame: Frame, time_s: float) -> bytes:
    """Return `frame` as the server sends it, received at `time_s` of the wall clock [s]."""
    return b"< frame %03X %.6f %s >" % (frame.arbitration_id, time_s, frame.data.hex().encode())
