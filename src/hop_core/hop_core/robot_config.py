"""A lab's own numbers, or the twin's.

Addresses, payload, table, workspace and camera, in one overlay file.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, field_validator, model_validator

from hop_core.config import Config, config_path, load_config
from hop_core.errors import ConfigError
from hop_core.rotation import angle_between

Vector3 = tuple[float, float, float]


class ArmConfig(Config):
    """How the xArm7 is reached and configured.

    Attributes:
        address: dotted IPv4 address of the control box.
        control_port: 502 on hardware; another one where ports below 1024 need rights.
        forbid_unix_socket: refuse the SDK's silent redirection to a socket file; must be true on
            hardware.
        late_serial: the arm's serial series is 1305 or later (other J2/J4 limits).
        payload_kg, payload_center_m: hand with mount, in the flange frame.
        collision_sensitivity: 0 (off) to 5.
        reply_timeout_s: longest wait for one answer of the control box; without one to a target the
            arm is stopped.
        silence_s: without an answer to polls for so long, the arm counts as lost.
    """

    address: str
    control_port: int = Field(502, ge=1, le=65535)
    forbid_unix_socket: bool = True
    late_serial: bool = False
    payload_kg: float = Field(ge=0.0, le=3.5)
    payload_center_m: Vector3
    collision_sensitivity: int = Field(3, ge=0, le=5)
    reply_timeout_s: float = Field(0.05, gt=0.0)
    silence_s: float = Field(0.15, gt=0.0)


class HandConfig(Config):
    """How the Allegro hand is reached.

    Attributes:
        interface: python-can interface: socketcan on hardware, socketcand for the twin or a remote
            bus.
        channel: name of the bus.
        host, port: of the socketcand server.
        device_id: 0-3, the low bits of every identifier.
        side: which hand must answer.
        torque_scale: share of the torque caps in use.
        silence_s: without the angles of all fingers for so long, the hand counts as lost.
        warn_c, stop_c: board temperatures [degC]: at stop_c the torque is taken off, and only below
            warn_c can that fault be recovered from.
    """

    interface: Literal["socketcan", "socketcand"]
    channel: str = "can0"
    host: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    device_id: int = Field(0, ge=0, le=3)
    side: Literal["right", "left"] = "right"
    torque_scale: float = Field(1.0, gt=0.0, le=1.0)
    silence_s: float = Field(0.03, gt=0.0)
    warn_c: float = 60.0
    stop_c: float = 70.0

    @model_validator(mode="after")
    def _reachable(self) -> HandConfig:
        if self.interface == "socketcand" and (self.host is None or self.port is None):
            raise ValueError("socketcand needs host and port")
        if self.warn_c >= self.stop_c:
            raise ValueError(f"warn_c {self.warn_c:g} must be below stop_c {self.stop_c:g}")
        return self


class CameraPose(Config):
    """T_base_cam: where a camera's optical frame (z forward, x right, y down) is in base_link.

    Attributes:
        position_m: its origin.
        quaternion_wxyz: its orientation, of length 1.
    """

    position_m: Vector3
    quaternion_wxyz: tuple[float, float, float, float]

    @field_validator("quaternion_wxyz")
    @classmethod
    def _unit(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if abs(np.linalg.norm(value) - 1.0) > 1e-3:
            raise ValueError("must have length 1")
        return value

    @property
    def T_base_cam(self) -> np.ndarray:
        """Pose (4, 4) of the optical frame in base_link."""
        w, x, y, z = np.array(self.quaternion_wxyz) / np.linalg.norm(self.quaternion_wxyz)
        pose = np.eye(4)
        pose[:3, :3] = [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
        pose[:3, 3] = self.position_m
        return pose

    def apart(self, other: CameraPose) -> tuple[float, float]:
        """Return how far the origins are from each other [m], and the angle between both [rad]."""
        mine, theirs = self.T_base_cam, other.T_base_cam
        distance_m = float(np.linalg.norm(mine[:3, 3] - theirs[:3, 3]))
        return distance_m, angle_between(mine[:3, :3], theirs[:3, :3])


class CameraConfig(CameraPose):
    """The depth camera: module, image size, lens and pose.

    Attributes:
        sl_module: Python module with the names of `pyzed.sl`.
        serial: camera to open; None: the first.
        stream: "HOST:PORT" of a camera on another machine, or of the twin; None: a camera on USB.
        resolution: size at which depth is retrieved and published, "WIDTHxHEIGHT" [px].
        fps: frames per second.
        focal_per_width: focal length over image width; ZED-2 at HD720: 0.4125, 101 degrees across.
        near_m, far_m: range of the depth measurement.
    """

    sl_module: str = "pyzed.sl"
    serial: int | None = None
    stream: str | None = Field(None, pattern=r"^[\w.\-]+:\d{1,5}$")
    resolution: str = "320x180"
    fps: int = Field(30, ge=1, le=100)
    focal_per_width: float = Field(gt=0.1, lt=5.0)
    near_m: float = Field(0.2, gt=0.0)
    far_m: float = Field(3.0, gt=0.0)

    @field_validator("resolution")
    @classmethod
    def _size(cls, value: str) -> str:
        if not re.fullmatch(r"[1-9]\d{1,3}x[1-9]\d{1,3}", value):
            raise ValueError("must look like 320x180")
        return value

    @model_validator(mode="after")
    def _range(self) -> CameraConfig:
        if self.near_m >= self.far_m:
            raise ValueError(f"near_m {self.near_m:g} must be below far_m {self.far_m:g}")
        return self

    @property
    def width(self) -> int:
        """Image width [px]."""
        return int(self.resolution.split("x")[0])

    @property
    def height(self) -> int:
        """Image height [px]."""
        return int(self.resolution.split("x")[1])

    @property
    def focal_px(self) -> float:
        """Focal length [px], the same in x and y."""
        return self.focal_per_width * self.width

    @property
    def center_px(self) -> tuple[float, float]:
        """Principal point [px].

        The image's centre, pixel centres at half-integers less one half.
        """
        return (self.width - 1) / 2, (self.height - 1) / 2


class TableConfig(Config):
    """The table in base_link: its top's centre [m] and its size along x and y [m]."""

    center_m: Vector3
    size_m: tuple[float, float]


class WorkspaceConfig(Config):
    """The box in base_link [m] that the palm may not leave."""

    lower_m: Vector3
    upper_m: Vector3

    @model_validator(mode="after")
    def _ordered(self) -> WorkspaceConfig:
        if not all(low < high for low, high in zip(self.lower_m, self.upper_m, strict=True)):
            raise ValueError("lower_m must be below upper_m on each axis")
        return self


class TwinConfig(Config):
    """What only the twin has.

    Attributes:
        address: loopback address of all its servers; another one makes a second twin.
        control_port: TCP port of the control channel.
        camera_position_jitter_m, camera_rotation_jitter_rad: half-widths of the camera pose's
            uniform jitter at a reset.
        depth_noise_scale: 1 is the stereo noise of a ZED-2, 0 none.
    """

    address: str
    control_port: int = Field(29600, ge=1, le=65535)
    camera_position_jitter_m: float = Field(0.04, ge=0.0)
    camera_rotation_jitter_rad: float = Field(0.0873, ge=0.0)
    depth_noise_scale: float = Field(1.0, ge=0.0)


class RobotConfig(Config):
    """One robot cell: devices, table, workspace and camera.

    `twin` is present only where the devices are simulated.
    """

    name: str
    arm: ArmConfig
    hand: HandConfig
    camera: CameraConfig
    table: TableConfig
    workspace: WorkspaceConfig
    twin: TwinConfig | None = None

    @model_validator(mode="after")
    def _twin_and_hardware_are_apart(self) -> RobotConfig:
        if self.twin is None:
            if not self.arm.forbid_unix_socket:
                raise ValueError("arm.forbid_unix_socket must be true on hardware")
            return self
        if self.hand.interface != "socketcand":
            raise ValueError("hand.interface must be socketcand, since there is a twin section")
        addresses = {
            "twin.address": self.twin.address,
            "arm.address": self.arm.address,
            "hand.host": self.hand.host or "",
            "camera.stream": (self.camera.stream or "").rpartition(":")[0],
        }
        for key, address in addresses.items():
            if not _is_loopback(address):
                raise ValueError(
                    f"{key} '{address}' must be a loopback address such as 127.0.0.1, since there "
                    "is a twin section: real devices have none"
                )
        return self

    def moved(self, address: str) -> RobotConfig:
        """Return the twin's cell with all its servers at another loopback address.

        Empty: unchanged.

        Raises:
            ConfigError: the cell is real; its devices are where they are.
        """
        if not address:
            return self
        if self.twin is None:
            raise ConfigError(f"twin_address is for the twin only; robot '{self.name}' is real")
        if not _is_loopback(address):
            raise ConfigError(f"twin_address '{address}' must be a loopback address: 127.0.0.x")
        stream = f"{address}:{self.twin.control_port}"
        return self.model_copy(
            update={
                "arm": self.arm.model_copy(update={"address": address}),
                "hand": self.hand.model_copy(update={"host": address}),
                "camera": self.camera.model_copy(update={"stream": stream}),
                "twin": self.twin.model_copy(update={"address": address}),
            }
        )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:  # a name may become any address
        return False


def load_robot(name: str, config_dir: Path | str | None = None) -> RobotConfig:
    """Return the overlay `robots/<name>.yaml`.

    Raises:
        ConfigError: it is missing or breaks a rule.
    """
    return load_config(config_path(f"robots/{name}.yaml", config_dir), RobotConfig)
