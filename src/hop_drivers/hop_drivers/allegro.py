"""Adapter of the Allegro Hand V4 on python-can.

`socketcan` on hardware, `socketcand` for the twin or a bus elsewhere.

python-can (LGPL-3.0) is imported when the hand is opened. What socketcand does differently is
handled here: remote requests arrive as empty data frames, and a closed peer looks like silence,
never like an error; so silence is the fault.
"""

from __future__ import annotations

import importlib
import time
from typing import Any

import numpy as np

from hop_core.errors import DeviceError
from hop_core.robot_config import HandConfig
from hop_drivers import allegro_can as protocol
from hop_drivers.allegro_can import Frame, HandInfo, MsgId, Side
from hop_drivers.can_bus import ZERO_COUNTS, brief, open_bus, relax, send_frame, switch_off
from hop_drivers.position_sets import PositionAssembler

_REPLY_S = 1.0
_RECEIVE_S = 0.01


class AllegroHand:
    """The real hand, or one that speaks its protocol."""

    def __init__(self, config: HandConfig, period_ms: int = 3) -> None:
        self._config = config
        self._period_ms = period_ms
        self._can: Any = None
        self._bus: Any = None
        self._assembler = PositionAssembler(1e-3 * period_ms)
        self._last_set = self._listened = 0.0
        self._info: HandInfo | None = None
        self.serial = ""
        self._bus_errors = 0
        base = protocol.arbitration_id(MsgId.POSITION, config.device_id)
        self._finger = {base + (finger << 2): finger for finger in range(protocol.FINGERS)}

    @property
    def info(self) -> HandInfo | None:
        """What the hand last said about itself (see HandAdapter)."""
        return self._info

    @property
    def incomplete_sets(self) -> int:
        """Sets that lost a frame (see HandAdapter)."""
        return self._assembler.incomplete_sets

    @property
    def bus_errors(self) -> int:
        """Error frames of the bus (see HandAdapter)."""
        return self._bus_errors

    @property
    def where(self) -> str:
        """The bus in words."""
        config = self._config
        at = f" at {config.host}:{config.port}" if config.interface == "socketcand" else ""
        return f"{config.interface} {config.channel}{at}"

    def open(self) -> None:
        """Connect and wait for identity and a first full set (see HandAdapter)."""
        self._bus = open_bus(self._config)
        self._can = importlib.import_module("can")
        try:
            self._identify()
        except DeviceError:
            self._bus.shutdown()
            self._bus = None
            raise

    def _identify(self) -> None:
        device = self._config.device_id
        self._send(protocol.servo_frame(False, device))
        self._send(protocol.request_frame(MsgId.INFO, device))
        self._send(protocol.request_frame(MsgId.SERIAL, device))
        self._wait(lambda: self._info is not None and self.serial != "", "identify itself")
        info = self._info
        wanted = Side.RIGHT if self._config.side == "right" else Side.LEFT
        if info is not None and info.side is not wanted:
            raise DeviceError(
                f"the hand on {self.where} is a {info.side.name.lower()} hand, configured is "
                f"{self._config.side}; correct hand.side or mount the other hand"
            )
        self._send(protocol.period_frame(self._period_ms, device_id=device))
        first: list[np.ndarray] = []
        self._wait(lambda: bool(first), "send its joint positions", first)
        self._listened = time.monotonic()

    def _wait(self, done: Any, what: str, sets: list[np.ndarray] | None = None) -> None:
        deadline = time.monotonic() + _REPLY_S
        while not done():
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"the hand on {self.where} did not {what} within {_REPLY_S:g} s; check its "
                    "power, the bus termination and hand.device_id"
                )
            q = self._next(_RECEIVE_S)
            if q is not None and sets is not None:
                sets.append(q)

    def receive(self) -> np.ndarray | None:
        """Return the next complete set (see HandAdapter).

        A stall of this process is no fault of the hand: time in which nobody listened is no
        silence.
        """
        self._last_set += max(0.0, time.monotonic() - self._listened - _RECEIVE_S)
        q = self._next(_RECEIVE_S)
        self._listened = time.monotonic()
        if q is None and (silent_s := time.monotonic() - self._last_set) > self._config.silence_s:
            raise DeviceError(
                f"the hand on {self.where} has not told all its joints for {1000 * silent_s:.0f} "
                "ms; check power, bus and the cables of its fingers"
            )
        return q

    def newest(self) -> tuple[np.ndarray | None, int]:
        """Return the newest set that waits, and how many do (see HandAdapter)."""
        newest, count = None, 0
        while (message := self._read(0.0)) is not None:
            if (q := self._take(message)) is not None:
                newest, count = q, count + 1
        return newest, count

    def _next(self, timeout_s: float) -> np.ndarray | None:
        """Read until a set is complete, `timeout_s` are over, or something else comes."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0.0:
            message = self._read(left_s)
            if message is None:
                return None
            q = self._take(message)
            if q is not None or not self._is_position(message):
                return q
        return None

    def _read(self, timeout_s: float) -> Any:
        try:
            return self._bus.recv(timeout_s)
        except (self._can.CanError, OSError) as error:
            raise DeviceError(
                f"reading from the hand on {self.where} failed: {brief(error)}"
            ) from error

    def _take(self, message: Any) -> np.ndarray | None:
        """Take a frame; returns the set that it completes."""
        if self._is_position(message):
            finger = self._finger[message.arbitration_id]
            q = self._assembler.add(finger, message.data, message.timestamp)
            if q is not None:
                self._last_set = time.monotonic()
            return q
        if message.is_error_frame:
            self._bus_errors += 1
        elif message.data and not message.is_remote_frame:
            self._other(message)
        return None

    def _is_position(self, message: Any) -> bool:
        """Whether it is of a finger; an error frame's identifier is a set of flags, among them."""
        return (
            not message.is_error_frame
            and not message.is_remote_frame
            and bool(message.data)
            and message.arbitration_id in self._finger
        )

    def _other(self, message: Any) -> None:
        msg_id, device = protocol.split_id(message.arbitration_id)
        if device != self._config.device_id:
            return
        if msg_id == MsgId.INFO:
            self._info = protocol.decode_info(bytes(message.data))
        elif msg_id == MsgId.SERIAL:
            self.serial = protocol.decode_serial(bytes(message.data))

    def send_torque(self, counts: np.ndarray) -> None:
        """Send one set of torques (see HandAdapter)."""
        for frame in protocol.torque_frames(counts, self._config.device_id):
            self._send(frame)

    def servo(self, on: bool) -> None:
        """Switch the torque stage (see HandAdapter)."""
        if not on:
            if not switch_off(self._bus, self._config, self.where):
                raise DeviceError(
                    f"the hand on {self.where} may still be on: the bus did not take all frames"
                )
            return
        self.send_torque(ZERO_COUNTS)  # it may still hold a torque of its last enabling
        self._send(protocol.servo_frame(True, self._config.device_id))

    def poll_info(self) -> None:
        """Ask for temperature and status (see HandAdapter)."""
        self._send(protocol.request_frame(MsgId.INFO, self._config.device_id))

    def _send(self, frame: Frame) -> None:
        send_frame(self._bus, frame, self.where)

    def close(self) -> bool:
        """Torque off, stream off, disconnect (see HandAdapter)."""
        bus, self._bus = self._bus, None
        if bus is None:
            return True
        relaxed = relax(bus, self._config, self.where)
        bus.shutdown()
        return relaxed
