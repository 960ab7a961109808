"""Connections to the xArm's control box by the vendor SDK, without the SDK's side effects."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import socket
from typing import Any

from hop_core.errors import DeviceError
from hop_core.robot_config import ArmConfig

_PROBE_S = 1.0
_GET_VERSION = bytes((0, 1, 0, 2, 0, 1, 1))
"""Transaction 1, protocol 2, 1 byte: function 1. Source: the vendor's private TCP protocol."""
_REPLY_BYTES = 64


def probe(config: ArmConfig) -> None:
    """Ask the box for its version: the SDK would wait for a silent one for minutes.

    Raises:
        DeviceError: nobody answers.
    """
    where = (config.address, config.control_port)
    try:
        with socket.create_connection(where, timeout=_PROBE_S) as sock:
            sock.sendall(_GET_VERSION)
            if not sock.recv(_REPLY_BYTES):
                raise ConnectionError("the connection was closed")
    except OSError as error:
        raise DeviceError(
            f"no xArm control box answers at {where[0]}:{where[1]} ({error}); check power, cable "
            "and arm.address"
        ) from error


def connect(config: ArmConfig, report: bool) -> Any:
    """Return a connected `XArmAPI`; `report` opens the report stream too.

    Raises:
        DeviceError: the SDK is missing, or the box refuses.
    """
    with contextlib.redirect_stdout(io.StringIO()):  # it prints at import and at connection
        try:
            wrapper = importlib.import_module("xarm.wrapper")
        except ImportError as error:
            raise DeviceError(
                "xarm-python-sdk is not installed; install the workspace's requirements"
            ) from error
        importlib.import_module("xarm.core.utils.log").logger.setLevel(logging.CRITICAL)
        sockets = importlib.import_module("xarm.core.config.x_config").XCONF.SocketConf
        sockets.TCP_CONTROL_PORT = config.control_port
        try:
            api = wrapper.XArmAPI(
                config.address,
                is_radian=True,
                enable_report=report,
                report_type="rich",
                forbid_uds=config.forbid_unix_socket,
                check_joint_limit=False,  # its table knows no overlay; ours is checked before
            )
        except Exception as error:  # the SDK raises nothing more precise
            raise DeviceError(
                f"the xArm at {config.address} refused the connection: {error}"
            ) from error
        finally:
            socket.setdefaulttimeout(None)  # the SDK sets 1 s for the whole process
    api.set_timeout(config.reply_timeout_s)
    return api
