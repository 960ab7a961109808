"""Parameters and containers of `pyzed.sl`, the subset in use, with the SDK's defaults.

Source: Stereolabs ZED SDK 5 Python API reference.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hop_sim.sl_enums import COORDINATE_SYSTEM, DEPTH_MODE, MEM, MODEL, RESOLUTION, UNIT


@dataclass(frozen=True)
class Resolution:
    """Image size [px]; (0, 0) means the camera's own."""

    width: int = 0
    height: int = 0

    def area(self) -> int:
        """Return the number of pixels."""
        return self.width * self.height


@dataclass(frozen=True)
class Timestamp:
    """A moment of the wall clock."""

    data_ns: int = 0

    def get_nanoseconds(self) -> int:
        """Return UNIX time [ns]."""
        return self.data_ns

    def get_milliseconds(self) -> int:
        """Return UNIX time [ms]."""
        return self.data_ns // 1_000_000


@dataclass
class InitParameters:
    """Parameters of `Camera.open`; the twin heeds units, size, rate, range, recovery, stream."""

    camera_resolution: RESOLUTION = RESOLUTION.AUTO
    camera_fps: int = 0
    depth_mode: DEPTH_MODE = DEPTH_MODE.NEURAL
    coordinate_units: UNIT = UNIT.MILLIMETER
    coordinate_system: COORDINATE_SYSTEM = COORDINATE_SYSTEM.IMAGE
    depth_minimum_distance: float = -1.0
    depth_maximum_distance: float = -1.0
    depth_stabilization: int = 30
    sdk_verbose: int = 1
    open_timeout_sec: float = 5.0
    async_grab_camera_recovery: bool = False
    enable_image_enhancement: bool = True
    camera_disable_self_calib: bool = False
    svo_real_time_mode: bool = False
    serial_number: int | None = field(default=None, repr=False)
    stream: tuple[str, int] | None = field(default=None, repr=False)

    def set_from_serial_number(self, serial_number: int) -> None:
        """Open the camera with this serial number."""
        self.serial_number = serial_number

    def set_from_stream(self, sender_ip: str, port: int = 30000) -> None:
        """Open the camera that is streamed at this address: for the twin, its control channel."""
        self.stream = (sender_ip, port)


@dataclass
class RuntimeParameters:
    """Parameters of `Camera.grab`; the twin's depth has no confidence and is never filled."""

    enable_depth: bool = True
    enable_fill_mode: bool = False
    confidence_threshold: int = 95
    texture_confidence_threshold: int = 100
    remove_saturated_areas: bool = True


class Mat:
    """An image or measure that the camera fills."""

    def __init__(self) -> None:
        """Create an empty one."""
        self._data: np.ndarray | None = None
        self.timestamp = Timestamp()

    def fill(self, data: np.ndarray, timestamp: Timestamp) -> None:
        """Take new contents; used by the camera."""
        self._data, self.timestamp = data, timestamp

    def is_init(self) -> bool:
        """Return whether it has contents."""
        return self._data is not None

    def get_data(self, memory_type: MEM = MEM.CPU, deep_copy: bool = False) -> np.ndarray:
        """Return the contents: a view that the next retrieve may overwrite, unless `deep_copy`."""
        if self._data is None:
            return np.empty((0, 0), dtype=np.float32)
        return self._data.copy() if deep_copy else self._data

    def get_width(self) -> int:
        """Return the width [px]."""
        return 0 if self._data is None else self._data.shape[1]

    def get_height(self) -> int:
        """Return the height [px]."""
        return 0 if self._data is None else self._data.shape[0]


@dataclass(frozen=True)
class CameraParameters:
    """Lens of a rectified image: focal lengths and principal point [px], no distortion, size."""

    fx: float
    fy: float
    cx: float
    cy: float
    image_size: Resolution
    disto: tuple[float, ...] = (0.0,) * 12


@dataclass(frozen=True)
class CalibrationParameters:
    """Both lenses and their distance in the units of `InitParameters`."""

    left_cam: CameraParameters
    right_cam: CameraParameters
    baseline: float

    def get_camera_baseline(self) -> float:
        """Return the baseline."""
        return self.baseline


@dataclass(frozen=True)
class CameraConfiguration:
    """Size, rate and calibration."""

    resolution: Resolution
    fps: float
    calibration_parameters: CalibrationParameters
    firmware_version: int = 0


@dataclass(frozen=True)
class CameraInformation:
    """What the camera is."""

    serial_number: int
    camera_model: MODEL
    camera_configuration: CameraConfiguration


@dataclass(frozen=True)
class DeviceProperties:
    """One entry of the device list."""

    serial_number: int
    camera_model: MODEL = MODEL.ZED2
