"""The CAN bus that the hand is on, by python-can.

The library (LGPL-3.0) is imported when a bus is opened.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import socket
from collections.abc import Sequence
from typing import Any

import numpy as np

from hop_core.errors import DeviceError
from hop_core.robot_config import HandConfig
from hop_drivers import allegro_can as protocol
from hop_drivers.allegro_can import Frame

ZERO_COUNTS = np.zeros(protocol.JOINTS, dtype=np.int16)


def open_bus(config: HandConfig) -> Any:
    """Return an open python-can bus.

    Raises:
        DeviceError: python-can is missing, or the bus cannot be opened.
    """
    try:
        can = importlib.import_module("can")
    except ImportError as error:
        raise DeviceError(
            "python-can is not installed; install the workspace's requirements"
        ) from error
    logging.getLogger("can").setLevel(logging.CRITICAL)
    options: dict[str, Any] = {"interface": config.interface, "channel": config.channel}
    if config.interface == "socketcand":
        options |= {"host": config.host, "port": config.port, "tcp_tune": True}
        _probe(config)
    try:
        return can.Bus(**options)
    except (can.CanError, OSError, ValueError) as error:
        raise DeviceError(
            f"cannot open the CAN bus {config.interface} {config.channel}: {error}; check that "
            "the interface is up"
        ) from error


def _probe(config: HandConfig) -> None:
    """python-can tries a dead port in a busy loop for ten seconds: ask first."""
    try:
        with socket.create_connection((config.host, config.port), timeout=1.0):
            return
    except OSError as error:
        raise DeviceError(
            f"no socketcand server answers at {config.host}:{config.port} ({error}); check "
            "hand.host and hand.port"
        ) from error


def send_frame(bus: Any, frame: Frame, where: str) -> None:
    """Send one frame.

    Raises:
        DeviceError: the bus is gone.
    """
    can = importlib.import_module("can")
    message = can.Message(
        arbitration_id=frame.arbitration_id,
        data=frame.data,
        is_extended_id=False,
        is_remote_frame=frame.is_remote,
    )
    try:
        bus.send(message)
    except (can.CanError, OSError) as error:
        raise DeviceError(f"sending to the hand on {where} failed: {brief(error)}") from error


def brief(error: Exception) -> str:
    """Return what python-can says without the traceback that it puts into its messages."""
    return str(error).partition("Traceback")[0].strip()


def switch_off(bus: Any, config: HandConfig, where: str) -> bool:
    """Send servo off, then zero torque; returns False unless all went out."""
    zero = protocol.torque_frames(ZERO_COUNTS, config.device_id)
    return _send_all(bus, [protocol.servo_frame(False, config.device_id), *zero], where)


def relax(bus: Any, config: HandConfig, where: str) -> bool:
    """Switch the hand and its stream off; returns False unless all frames went out."""
    off = switch_off(bus, config, where)
    return _send_all(bus, [protocol.period_frame(0, device_id=config.device_id)], where) and off


def _send_all(bus: Any, frames: Sequence[Frame], where: str) -> bool:
    sent = 0
    for frame in frames:  # a full queue may refuse one and take the next
        with contextlib.suppress(DeviceError):
            send_frame(bus, frame, where)
            sent += 1
    return sent == len(frames)
