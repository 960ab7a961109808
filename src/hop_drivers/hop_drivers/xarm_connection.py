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


def probe(config: ArmConfig) -> None:
    """Ask the port whether anybody is there: the SDK would try a dead address for many seconds.

    Raises:
        DeviceError: nobody answers.
    """
    try:
        with socket.create_connection((config.address, config.control_port), timeout=_PROBE_S):
            return
    except OSError as error:
        where = f"{config.address}:{config.control_port}"
        raise DeviceError(
            f"no xArm control box answers at {where} ({error}); check power, cable and arm.address"
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
