"""Adapter of the ZED-2 on `pyzed.sl`, or on an injected module with the same names.

The module is imported when the camera is opened, on the thread that will grab: a GL or CUDA context
stays on the thread that made it.

Source: Stereolabs Python API 5.x.
"""

from __future__ import annotations

import importlib
import logging
import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hop_core.errors import DeviceError
from hop_core.robot_config import CameraConfig
from hop_drivers.depth import depth_to_mm

_REBOOT_WAIT_S = 0.2
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """Pinhole of the retrieved image: focal lengths and principal point [px]."""

    fx: float
    fy: float
    cx: float
    cy: float


@dataclass(frozen=True, slots=True)
class DepthFrame:
    """One frame.

    Attributes:
        depth_mm: (H, W) uint16 as in `hop_drivers.depth`.
        stamp_ns: when the image was in this machine's memory, ROS time: by its maker two or three
            frames after the exposure.
    """

    depth_mm: np.ndarray
    stamp_ns: int


class CameraAdapter(Protocol):
    """What the camera's driver needs of a camera; all calls come from one thread."""

    def open(self) -> Intrinsics:
        """Connect and return the lens at the retrieved size; raises DeviceError."""

    def grab(self) -> DepthFrame | None:
        """Wait for the next frame; None for one to be skipped.

        Raises DeviceError when the camera is gone.
        """

    def close(self) -> None:
        """Let go of the camera."""


class Zed:
    """A ZED-2 by its SDK."""

    def __init__(self, config: CameraConfig) -> None:
        self._config = config
        self._sl: Any = None
        self._camera: Any = None
        self._warned: set[Any] = set()

    def open(self) -> Intrinsics:
        """Open the camera at the configured size and rate (see CameraAdapter)."""
        sl = self._sl = load_sl(self._config.sl_module)
        init = self._init_parameters(sl)
        self._camera = sl.Camera()
        status = self._camera.open(init)
        if self._is_error(status) or status == sl.ERROR_CODE.CAMERA_REBOOTING:
            self._camera.close()
            self._camera = None
            raise DeviceError(f"the ZED camera did not open: {status}; {_advice(status)}")
        self._runtime = sl.RuntimeParameters()
        self._runtime.enable_fill_mode = False  # it invents depth
        self._size = sl.Resolution(self._config.width, self._config.height)
        self._mat = sl.Mat()
        lens = self._camera.get_camera_information(self._size).camera_configuration
        left = lens.calibration_parameters.left_cam
        return Intrinsics(float(left.fx), float(left.fy), float(left.cx), float(left.cy))

    def _init_parameters(self, sl: Any) -> Any:
        config = self._config
        init = sl.InitParameters()
        init.camera_resolution = sl.RESOLUTION.HD720
        init.camera_fps = config.fps
        init.depth_mode = sl.DEPTH_MODE.NEURAL
        init.coordinate_units = sl.UNIT.METER
        init.coordinate_system = sl.COORDINATE_SYSTEM.IMAGE
        init.depth_minimum_distance = config.near_m
        init.depth_maximum_distance = config.far_m
        if config.stream is not None:
            host, port = config.stream.rsplit(":", 1)
            init.set_from_stream(host, int(port))
        elif config.serial is not None:
            init.set_from_serial_number(config.serial)
        return init

    def grab(self) -> DepthFrame | None:
        """Wait for the next frame (see CameraAdapter).

        The SDK releases the interpreter meanwhile.
        """
        sl, camera = self._sl, self._camera
        status = camera.grab(self._runtime)
        if status == sl.ERROR_CODE.CORRUPTED_FRAME:
            return None
        if status == sl.ERROR_CODE.CAMERA_REBOOTING:
            time.sleep(_REBOOT_WAIT_S)
            return None
        if self._is_error(status):
            raise DeviceError(f"the ZED camera stopped: {status}; {_advice(status)}")
        status = camera.retrieve_measure(self._mat, sl.MEASURE.DEPTH, sl.MEM.CPU, self._size)
        if self._is_error(status):  # the matrix holds the frame before
            raise DeviceError(f"the ZED camera gave no depth: {status}; {_advice(status)}")
        stamp_ns = camera.get_timestamp(sl.TIME_REFERENCE.IMAGE).get_nanoseconds()
        return DepthFrame(depth_to_mm(self._mat.get_data()), int(stamp_ns))

    def _is_error(self, status: Any) -> bool:
        """Whether a call failed; a warning, below success, is told once and lives on."""
        success = self._sl.ERROR_CODE.SUCCESS
        if status.value < success.value and status not in self._warned:
            self._warned.add(status)
            _log.warning("the ZED camera warns: %s", status)
        return bool(status.value > success.value)

    def close(self) -> None:
        """Let go of the camera (see CameraAdapter)."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None


def load_sl(name: str) -> Any:
    """Return the SDK module `name`.

    Raises:
        DeviceError: it is missing, or it is the package of the same name from PyPI that is no
            camera SDK.
    """
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise DeviceError(_missing(name, error)) from error
    if not hasattr(module, "Camera"):
        raise DeviceError(f"module {name} has no Camera: it is no ZED SDK; check camera.sl_module")
    return module


def _missing(name: str, error: ModuleNotFoundError) -> str:
    if name.startswith("pyzed") and "is not a package" in str(error):
        return (
            "the installed 'pyzed' is an unrelated package, not the ZED SDK; uninstall it, then "
            "run get_python_api.py of the ZED SDK"
        )
    if name.startswith("pyzed"):
        return (
            "the ZED SDK's Python module is not installed; install the ZED SDK and run its "
            "get_python_api.py"
        )
    return f"camera.sl_module '{name}' cannot be imported ({error}); check the robot's overlay"


def _advice(status: Any) -> str:
    name = status.name  # str() of the SDK's codes is words: "CAMERA NOT DETECTED"
    advice = {
        "CAMERA_NOT_DETECTED": "check its USB cable and port",
        "CANNOT_START_CAMERA_STREAM": "another process uses it: stop that one",
        "LOW_USB_BANDWIDTH": "use a USB 3 port of its own",
        "NO_GPU_DETECTED": "the ZED SDK needs an NVIDIA GPU",
        "CALIBRATION_FILE_NOT_AVAILABLE": "download its calibration with the ZED SDK's tools",
        "INCOMPATIBLE_SDK_VERSION": "install matching versions of the ZED SDK and its module",
    }
    return advice.get(name, "see the ZED SDK manual")
