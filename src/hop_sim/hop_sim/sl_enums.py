"""Enumerations of `pyzed.sl`, the subset that the workspace uses.

Source: Stereolabs ZED SDK 5 Python API reference.
"""

from __future__ import annotations

from enum import Enum, auto


class ERROR_CODE(Enum):
    """Outcome of a call; below success are warnings, above it errors."""

    SENSOR_CONFIGURATION_CHANGED = -4
    CORRUPTED_FRAME = -3
    CAMERA_REBOOTING = -1
    SUCCESS = 0
    FAILURE = 1
    NO_GPU_DETECTED = 2
    CAMERA_NOT_DETECTED = 3
    CAMERA_NOT_INITIALIZED = 4
    INVALID_RESOLUTION = 5
    LOW_USB_BANDWIDTH = 6
    CALIBRATION_FILE_NOT_AVAILABLE = 7
    INVALID_FUNCTION_PARAMETERS = 8
    INVALID_FUNCTION_CALL = 9
    CANNOT_START_CAMERA_STREAM = 10
    END_OF_SVOFILE_REACHED = 11
    INCOMPATIBLE_SDK_VERSION = 12
    CUDA_ERROR = 13

    def __str__(self) -> str:
        """Return the name in words, as the SDK does for both forms."""
        return self.name.replace("_", " ")

    __repr__ = __str__


class RESOLUTION(Enum):
    """Sizes at which the sensors run."""

    AUTO = auto()
    HD2K = auto()
    HD1080 = auto()
    HD720 = auto()
    VGA = auto()


SIZES = {
    RESOLUTION.AUTO: (1280, 720),
    RESOLUTION.HD2K: (2208, 1242),
    RESOLUTION.HD1080: (1920, 1080),
    RESOLUTION.HD720: (1280, 720),
    RESOLUTION.VGA: (672, 376),
}
"""Width and height [px] of each resolution on a ZED 2; AUTO is HD720 there."""


class DEPTH_MODE(Enum):
    """Depth algorithms; the twin has one."""

    NONE = auto()
    NEURAL_LIGHT = auto()
    NEURAL = auto()
    NEURAL_PLUS = auto()


class UNIT(Enum):
    """Units of depth."""

    MILLIMETER = auto()
    CENTIMETER = auto()
    METER = auto()


METRES = {UNIT.MILLIMETER: 0.001, UNIT.CENTIMETER: 0.01, UNIT.METER: 1.0}
"""Length of each unit [m]."""


class COORDINATE_SYSTEM(Enum):
    """Frames of 3D data; IMAGE is the optical frame."""

    IMAGE = auto()
    RIGHT_HANDED_Z_UP_X_FWD = auto()


class MEASURE(Enum):
    """What `retrieve_measure` can return."""

    DEPTH = auto()
    DEPTH_U16_MM = auto()


class VIEW(Enum):
    """What `retrieve_image` can return."""

    LEFT = auto()


class MEM(Enum):
    """Where data is to be."""

    CPU = auto()


class TIME_REFERENCE(Enum):
    """Of which moment the time is asked."""

    IMAGE = auto()
    CURRENT = auto()


class MODEL(Enum):
    """Camera models."""

    ZED2 = auto()
