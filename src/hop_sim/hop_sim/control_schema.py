"""Requests of the twin's control channel: JSON, one object a line, told apart by `cmd`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from hop_core.config import first_problem
from hop_core.errors import TwinError

MAX_LINE = 65536


class _Request(BaseModel):
    """Base of all requests: frozen; unknown keys and numbers that are not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Hello(_Request):
    """Ask who is there: versions, model hash, state file, task, camera."""

    cmd: Literal["hello"] = "hello"


class Reset(_Request):
    """Begin an episode: objects placed anew, camera pose and noise drawn, all from `seed`.

    Attributes:
        seed: of everything random in the episode.
        object: which of the task's objects, where it has several; None: by seed.
        teleport_robot: put the robot at once where the episode's draw has it, near home; False
            leaves it where it is.
        camera_jitter: scale on the configured jitter of the camera's pose.
        camera_shift_m: added to the camera's position in base_link.
        noise_scale: depth noise; None: as configured.
    """

    cmd: Literal["reset"] = "reset"
    seed: int = Field(ge=0, lt=2**63)
    object: str | None = None
    teleport_robot: bool = False
    camera_jitter: float = Field(default=1.0, ge=0.0, le=10.0)
    camera_shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise_scale: float | None = Field(default=None, ge=0.0, le=10.0)


class State(_Request):
    """Ask for the ground truth: joints, object poses, devices, loop statistics."""

    cmd: Literal["state"] = "state"


class Success(_Request):
    """Ask for the task's record of this episode."""

    cmd: Literal["success"] = "success"


class ArmError(_Request):
    """The control box reports error `code` and stops."""

    fault: Literal["arm_error"] = "arm_error"
    code: int = Field(ge=1, le=255)


class ArmEstop(_Request):
    """The emergency stop button is pressed (until `clear`)."""

    fault: Literal["arm_estop"] = "arm_estop"


class ArmDrop(_Request):
    """The control box closes all its connections."""

    fault: Literal["arm_drop"] = "arm_drop"


class ArmStall(_Request):
    """The control box answers nothing for `duration_s`."""

    fault: Literal["arm_stall"] = "arm_stall"
    duration_s: float = Field(gt=0.0, le=60.0)


class ArmMute(_Request):
    """The report streams go silent without closing (until `clear`)."""

    fault: Literal["arm_mute_reports"] = "arm_mute_reports"


class HandSilent(_Request):
    """The hand sends nothing any more (until `clear`)."""

    fault: Literal["hand_silent"] = "hand_silent"


class HandHot(_Request):
    """The hand reports a temperature, and over-temperature (until `clear`)."""

    fault: Literal["hand_over_temperature"] = "hand_over_temperature"
    temperature_c: int = Field(default=75, ge=0, le=255)


class HandServoOff(_Request):
    """The hand switches its torque stage off."""

    fault: Literal["hand_servo_off"] = "hand_servo_off"


class HandDrop(_Request):
    """The CAN server closes all its connections."""

    fault: Literal["hand_drop"] = "hand_drop"


class CameraUnplug(_Request):
    """The camera is gone (until `clear`)."""

    fault: Literal["camera_unplug"] = "camera_unplug"


Fault = Annotated[
    ArmError
    | ArmEstop
    | ArmDrop
    | ArmStall
    | ArmMute
    | HandSilent
    | HandHot
    | HandServoOff
    | HandDrop
    | CameraUnplug,
    Field(discriminator="fault"),
]


class Inject(_Request):
    """Make a device fail."""

    cmd: Literal["inject"] = "inject"
    fault: Fault


class Clear(_Request):
    """End all injected faults; what a device has latched stays until its driver clears it."""

    cmd: Literal["clear"] = "clear"


class Shutdown(_Request):
    """End the twin."""

    cmd: Literal["shutdown"] = "shutdown"


Request = Annotated[
    Hello | Reset | State | Success | Inject | Clear | Shutdown, Field(discriminator="cmd")
]
_REQUEST: TypeAdapter[Any] = TypeAdapter(Request)
_RESET: TypeAdapter[Any] = TypeAdapter(Reset)
_FAULT: TypeAdapter[Any] = TypeAdapter(Fault)


def parse_request(line: bytes | str) -> Any:
    """Return the request in one line of JSON.

    Raises:
        TwinError: it is no JSON object, or names an unknown command, key or value.
    """
    return _parsed(_REQUEST.validate_json, line, "control channel")


def parse_reset(values: dict[str, Any]) -> Any:
    """Return the request that begins an episode, of `values` such as {"seed": 3}.

    Raises:
        TwinError: naming the missing or wrong value.
    """
    return _parsed(_RESET.validate_python, values, "reset")


def parse_fault(values: dict[str, Any]) -> Any:
    """Return the fault described by `values`, such as {"fault": "arm_error", "code": 31}.

    Raises:
        TwinError: naming the unknown fault or the missing or wrong value.
    """
    return _parsed(_FAULT.validate_python, values, "fault")


def _parsed(validate: Callable[[Any], Any], value: object, what: str) -> Any:
    try:
        return validate(value)
    except ValidationError as error:
        raise TwinError(f"twin {what}: {first_problem(error)}") from error
