"""Checks of the configuration and, for a real robot, of its devices; nothing is moved or armed."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from hop_core.config import config_path
from hop_core.embodiment import load_embodiment
from hop_core.errors import HopError
from hop_core.health import DoctorContext, Finding, Health
from hop_core.robot_config import ArmConfig, CameraConfig, HandConfig, load_robot
from hop_core.safety_config import load_safety

NETWORK = Path("/sys/class/net")
REPORT_PORT = 30002  # "rich" reports. Source: UFACTORY's SDK, fixed in the control box
_ANSWER_S = 1.0
_IMPORT_S = 5.0
_CAN_TYPE = "280"  # ARPHRD_CAN, linux/if_arp.h
_IFF_UP = 0x1
_BITRATE = 1_000_000  # source: Allegro V4


def check(context: DoctorContext) -> Iterable[Finding]:
    """Return the findings about hop_core's configurations and a real robot's devices."""
    yield from configurations(context)
    if context.cell is None or not context.real:
        return
    yield from control_box(context.cell.arm)
    yield hand_bus(context.cell.hand)
    yield camera_module(context.cell.camera)


def configurations(context: DoctorContext) -> list[Finding]:
    """Return whether the robot's overlay, the safety figures and the embodiment can be loaded."""
    overlay, folder = f"robots/{context.robot}.yaml", context.config_dir
    return [
        loaded(overlay, lambda: load_robot(context.robot, folder), context),
        loaded("safety.yaml", lambda: load_safety(folder), context),
        loaded("embodiment", load_embodiment, None),
    ]


def loaded(name: str, load: Callable[[], object], context: DoctorContext | None) -> Finding:
    """Return whether `load` gives the configuration `name`.

    Args:
        name: of the file in the folder of configurations, or of what is loaded.
        load: loads and validates it; may raise HopError.
        context: where the folder is; None if it is no such file.
    """
    try:
        load()
        found = "valid" if context is None else str(config_path(name, context.config_dir))
    except HopError as error:
        return Finding(name, Health.MISS, str(error), "mend that file, or pass --config-dir")
    return Finding(name, Health.OK, found)


def control_box(arm: ArmConfig) -> list[Finding]:
    """Return whether the arm's control box takes commands and sends its reports."""
    fix = "check the box's power and cable, this machine's network and arm.address in the overlay"
    return [
        _answers("control box, commands", arm.address, arm.control_port, fix),
        _answers("control box, reports", arm.address, REPORT_PORT, fix, speaks=True),
    ]


def _answers(check_name: str, host: str, port: int, fix: str, speaks: bool = False) -> Finding:
    """Return whether a TCP server is there; `speaks`: and sends something by itself."""
    where = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), timeout=_ANSWER_S) as connection:
            if speaks and not connection.recv(1):
                return Finding(check_name, Health.MISS, f"{where} hangs up", fix)
    except OSError as error:
        return Finding(check_name, Health.MISS, f"{where}: {error.strerror or error}", fix)
    return Finding(check_name, Health.OK, f"{where} answers")


def hand_bus(hand: HandConfig, network: Path = NETWORK) -> Finding:
    """Return whether the hand's CAN bus is there: its interface up, or its server reachable."""
    if hand.interface == "socketcand":
        fix = "start socketcand there, or correct hand.host and hand.port in the overlay"
        return _answers("hand's CAN server", str(hand.host), int(hand.port or 0), fix)
    interface = network / hand.channel
    try:
        kind = (interface / "type").read_text(encoding="ascii").strip()
        flags = int((interface / "flags").read_text(encoding="ascii"), 16)
    except OSError:
        fix = "plug the adapter in and load its driver, or correct hand.channel in the overlay"
        return Finding("hand's CAN interface", Health.MISS, f"no interface {hand.channel}", fix)
    if kind != _CAN_TYPE:
        fix = "correct hand.channel in the overlay"
        return Finding("hand's CAN interface", Health.MISS, f"{hand.channel} is no CAN bus", fix)
    if not flags & _IFF_UP:
        fix = f"sudo ip link set {hand.channel} up type can bitrate {_BITRATE}"
        return Finding("hand's CAN interface", Health.MISS, f"{hand.channel} is down", fix)
    return Finding("hand's CAN interface", Health.OK, f"{hand.channel} is up")


def camera_module(camera: CameraConfig) -> Finding:
    """Return whether the camera's Python module can be imported; tried in another process."""
    program = "import importlib, sys; importlib.import_module(sys.argv[1])"
    fix = "install the ZED SDK and its Python API (get_python_api.py), or correct camera.sl_module"
    try:
        done = subprocess.run(
            [sys.executable, "-c", program, camera.sl_module],
            capture_output=True,
            text=True,
            timeout=_IMPORT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        found = f"importing {camera.sl_module} takes more than {_IMPORT_S:g} s"
        return Finding("camera module", Health.MISS, found, fix)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        return Finding("camera module", Health.MISS, lines[-1] if lines else "cannot import", fix)
    return Finding("camera module", Health.OK, f"{camera.sl_module} can be imported")
