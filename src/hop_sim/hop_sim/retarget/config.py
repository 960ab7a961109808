"""Configuration of the retargeting engine; meanings and units are in `retarget_engine.yaml`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from hop_core.config import Config, config_path, load_config, validate
from hop_sim.trajectories.trajectory import OBSTACLES

Range = tuple[float, float]


class PhysicsConfig(Config):
    """Time step of the physics [s], and how many make a step of the policy."""

    period_s: float = Field(gt=0.0, le=0.02)
    substeps: int = Field(ge=1)

    @property
    def step_s(self) -> float:
        """One step of the policy [s]."""
        return self.period_s * self.substeps


class StartConfig(Config):
    """Where the robot starts, about home."""

    noise_arm_rad: float = Field(ge=0.0)
    noise_hand_rad: float = Field(ge=0.0)
    wide_share: float = Field(ge=0.0, le=1.0)
    wide_arm_rad: float = Field(ge=0.0)
    lead_in_steps: int = Field(ge=0)


class PlacementConfig(Config):
    """Where the track's table stands."""

    distance_m: float = Field(gt=0.0)
    x_m: float = Field(ge=0.0)
    y_m: float = Field(ge=0.0)
    height_m: float = Field(ge=0.0)
    yaw_rad: float = Field(ge=0.0)


class ObstacleConfig(Config):
    """What stands in the way."""

    most: int = Field(ge=0, le=OBSTACLES)
    size_m: Range
    clearance_m: float = Field(ge=0.0)


class NoiseConfig(Config):
    """How the physics varies from attempt to attempt."""

    friction: Range
    gain: Range

    @model_validator(mode="after")
    def _allowed(self) -> NoiseConfig:
        if not 0.0 < self.friction[0] <= self.friction[1] <= 1.0:
            raise ValueError("friction must be a range within 0..1")
        if not 0.0 < self.gain[0] <= self.gain[1]:
            raise ValueError("gain must be a range above 0")
        return self


class PruneConfig(Config):
    """When an attempt is kept."""

    error_m: float = Field(gt=0.0)
    contact_share: float = Field(gt=0.0, le=1.0)
    limited_share: float = Field(ge=0.0, le=1.0)
    penetration_m: float = Field(gt=0.0)
    saturation_share: float = Field(ge=0.0, le=1.0)


class EngineConfig(Config):
    """All of `retarget_engine.yaml`."""

    attempts: int = Field(ge=1)
    physics: PhysicsConfig
    start: StartConfig
    placement: PlacementConfig
    obstacles: ObstacleConfig
    physics_noise: NoiseConfig
    prune: PruneConfig

    def with_attempts(self, attempts: int) -> EngineConfig:
        """Return the same configuration with another number of attempts at each track.

        Raises:
            ConfigError: it is less than 1.
        """
        return validate({**self.model_dump(), "attempts": attempts}, EngineConfig, "--attempts")


def load_engine(config_dir: Path | str | None = None) -> EngineConfig:
    """Return `retarget_engine.yaml`.

    Raises:
        ConfigError: it is missing or breaks a rule.
    """
    return load_config(config_path("retarget_engine.yaml", config_dir), EngineConfig)
