"""A stand-in for `pyzed.sl` whose camera is the twin's: `camera.sl_module: hop_sim.sl`."""

from hop_sim.sl_camera import Camera
from hop_sim.sl_enums import (
    COORDINATE_SYSTEM,
    DEPTH_MODE,
    ERROR_CODE,
    MEASURE,
    MEM,
    MODEL,
    RESOLUTION,
    TIME_REFERENCE,
    UNIT,
    VIEW,
)
from hop_sim.sl_types import (
    CalibrationParameters,
    CameraConfiguration,
    CameraInformation,
    CameraParameters,
    DeviceProperties,
    InitParameters,
    Mat,
    Resolution,
    RuntimeParameters,
    Timestamp,
)

__all__ = [
    "COORDINATE_SYSTEM",
    "DEPTH_MODE",
    "ERROR_CODE",
    "MEASURE",
    "MEM",
    "MODEL",
    "RESOLUTION",
    "TIME_REFERENCE",
    "UNIT",
    "VIEW",
    "CalibrationParameters",
    "Camera",
    "CameraConfiguration",
    "CameraInformation",
    "CameraParameters",
    "DeviceProperties",
    "InitParameters",
    "Mat",
    "Resolution",
    "RuntimeParameters",
    "Timestamp",
]
