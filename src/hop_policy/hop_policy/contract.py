"""What a policy and the system around it must agree on: joints, scale, rates, lags, vision."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, model_validator

from hop_core.config import Config, config_hash, config_path, load_config
from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_core.errors import CheckpointError, ConfigError

VisionKind = Literal["depth", "point_cloud"]
NS_PER_MS = 1_000_000


class Crop(NamedTuple):
    """A rectangle of image pixels: rows top..top+height, columns left..left+width."""

    top: int
    left: int
    height: int
    width: int


class DepthContract(Config):
    """How a depth image becomes what the policy sees."""

    size_px: int = Field(
        default=60,
        ge=8,
        le=256,
        description="side of the pooled image; source: HOP release, 60 x 60",
    )
    fov_deg: float = Field(
        default=58.5,
        gt=1,
        lt=120,
        description="field of view of the square crop; source: HOP release",
    )
    near_m: float = Field(
        default=0.05, gt=0, description="nearer is read as this; source: HOP release"
    )
    far_m: float = Field(
        default=1.0, le=10, description="farther, and unknown, is read as this; source: HOP release"
    )

    @model_validator(mode="after")
    def _ordered(self) -> DepthContract:
        if not self.near_m < self.far_m:
            raise ValueError(f"near_m {self.near_m} must be less than far_m {self.far_m}")
        return self

    def crop(self, width: int, height: int, fx: float, fy: float, cx: float, cy: float) -> Crop:
        """Returns the crop of `fov_deg` about the optical axis of a rectified pinhole image.

        Both sides subtend the same angle, so the pooled image is never squashed, and cameras of
        other resolution or focal length give the same view.

        Args:
            width: image width [px].
            height: image height [px].
            fx: horizontal focal length [px].
            fy: vertical focal length [px].
            cx: column of the optical axis [px], pixel centres at integers.
            cy: row of the optical axis [px].

        Raises:
            ConfigError: the camera's view is narrower than the crop, or the crop is smaller than
                the pooled image.
        """
        half = math.tan(math.radians(self.fov_deg / 2))
        crop_w, crop_h = round(2 * fx * half), round(2 * fy * half)
        left, top = round(cx + 0.5 - crop_w / 2), round(cy + 0.5 - crop_h / 2)
        if left < 0 or top < 0 or left + crop_w > width or top + crop_h > height:
            raise ConfigError(
                f"the policy's {self.fov_deg} deg crop ({crop_w} x {crop_h} px) does not fit "
                f"into the camera's {width} x {height} image with fx {fx:.1f}, fy {fy:.1f}; "
                f"choose a wider camera mode"
            )
        if min(crop_w, crop_h) < self.size_px:
            raise ConfigError(
                f"the policy's {self.fov_deg} deg crop is {crop_w} x {crop_h} px of the "
                f"camera's image, less than the {self.size_px} px that it pools to; "
                f"choose a finer camera mode"
            )
        return Crop(top, left, crop_h, crop_w)


class PointCloudContract(Config):
    """How a cloud of object points becomes what the policy sees."""

    points: int = Field(default=100, ge=1, description="points per cloud; source: HOP release")
    frame: Literal["base_link"] = "base_link"


class StreamContract(Config):
    """Which message of a stream an observation may use."""

    lag_ms: int = Field(ge=0, description="the newest message older than this at the tick is used")
    max_age_ms: int = Field(gt=0, description="an older message refuses the tick")

    @model_validator(mode="after")
    def _ordered(self) -> StreamContract:
        if self.max_age_ms <= self.lag_ms:
            raise ValueError(f"max_age_ms {self.max_age_ms} must exceed lag_ms {self.lag_ms}")
        return self

    @property
    def lag_ns(self) -> int:
        """Lag [ns]."""
        return self.lag_ms * NS_PER_MS

    @property
    def max_age_ns(self) -> int:
        """Age limit [ns]."""
        return self.max_age_ms * NS_PER_MS


def _policy_lower() -> tuple[float, ...]:
    return tuple(load_embodiment().policy_lower.tolist())


def _policy_upper() -> tuple[float, ...]:
    return tuple(load_embodiment().policy_upper.tolist())


class PolicyContract(Config):
    """Everything that data, checkpoint and robot must share for a policy to mean anything.

    Attributes:
        joint_names: order of the 23 joints in observations and actions.
        policy_lower: joint angle that reads -1 [rad], 23 figures.
        policy_upper: joint angle that reads +1 [rad], 23 figures.
        policy_hz: rate of the ticks; at fewer than 10 Hz the robot would hold between two targets.
        vision: which vision the policy sees.
        depth: treatment of depth images.
        point_cloud: treatment of point clouds.
        depth_stream: lag and age limit of vision.
        joint_stream: lag and age limit of both joint-state streams.
        label_offset_ms: the label of tick t is the accepted target in force at t + this.
    """

    joint_names: tuple[str, ...] = JOINT_NAMES
    policy_lower: tuple[float, ...] = Field(default_factory=_policy_lower)
    policy_upper: tuple[float, ...] = Field(default_factory=_policy_upper)
    policy_hz: float = Field(default=20.0, ge=10.0)
    vision: VisionKind = "depth"
    depth: DepthContract = DepthContract()
    point_cloud: PointCloudContract = PointCloudContract()
    depth_stream: StreamContract = StreamContract(lag_ms=30, max_age_ms=100)
    joint_stream: StreamContract = StreamContract(lag_ms=10, max_age_ms=50)
    label_offset_ms: int = Field(default=50, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> PolicyContract:
        if self.joint_names != JOINT_NAMES:
            raise ValueError(f"joint_names must be {', '.join(JOINT_NAMES)}, in this order")
        if not len(self.joint_names) == len(self.policy_lower) == len(self.policy_upper):
            raise ValueError("joint_names, policy_lower and policy_upper must have equal length")
        for name, low, high in zip(
            self.joint_names, self.policy_lower, self.policy_upper, strict=True
        ):
            if not low < high:
                raise ValueError(f"{name}: policy_lower {low} must be below policy_upper {high}")
        return self

    @property
    def hash(self) -> str:
        """16 hex digits that identify this contract."""
        return config_hash(self)

    @property
    def tick_ns(self) -> int:
        """Period of the ticks [ns]."""
        return round(1e9 / self.policy_hz)

    @property
    def label_offset_ns(self) -> int:
        """Offset of the label from its tick [ns]."""
        return self.label_offset_ms * NS_PER_MS

    @property
    def vision_shape(self) -> tuple[int, ...]:
        """Shape of one frame of vision as the policy sees it."""
        if self.vision == "depth":
            return (self.depth.size_px, self.depth.size_px)
        return (self.point_cloud.points, 3)

    def with_ages_of(self, other: PolicyContract) -> PolicyContract:
        """Returns this contract with the lags and age limits of `other`."""
        ages = {"depth_stream": other.depth_stream, "joint_stream": other.joint_stream}
        return self.model_copy(update=ages)

    def require_equal(self, other: PolicyContract, where: str = "the checkpoint") -> None:
        """Passes if `other`, the contract of `where`, equals this one.

        Raises:
            CheckpointError: naming the first field that differs, with both values.
        """
        field = _first_difference(self.model_dump(mode="json"), other.model_dump(mode="json"))
        if field is not None:
            name, mine, theirs = field
            raise CheckpointError(
                f"{where} was made for another contract: {name} is {_short(theirs)} there and "
                f"{_short(mine)} here; use a checkpoint trained for this configuration or change "
                f"config/policy.yaml to match"
            )


def load_contract(
    config_dir: Path | str | None = None, vision: VisionKind | None = None
) -> PolicyContract:
    """Returns the contract of `policy.yaml`, with `vision` instead of its own if given.

    Raises:
        ConfigError: the file is missing or breaks a rule.
    """
    overrides: dict[str, Any] | None = {"vision": vision} if vision else None
    return load_config(config_path("policy.yaml", config_dir), PolicyContract, overrides)


def _first_difference(
    mine: dict[str, Any], theirs: dict[str, Any], prefix: str = ""
) -> tuple[str, object, object] | None:
    for key, value in mine.items():
        other = theirs[key]
        if value == other:
            continue
        if isinstance(value, dict) and isinstance(other, dict):
            return _first_difference(value, other, f"{prefix}{key}.")
        if isinstance(value, list) and isinstance(other, list) and len(value) == len(other):
            pairs = enumerate(zip(value, other, strict=True))
            return next((f"{prefix}{key}[{i}]", a, b) for i, (a, b) in pairs if a != b)
        return f"{prefix}{key}", value, other
    return None


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
