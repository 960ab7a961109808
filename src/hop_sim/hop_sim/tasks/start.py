"""Start states of a task's episodes: what stands where, and the robot about home."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from pydantic import Field, NonNegativeFloat, model_validator

from hop_core.config import Config
from hop_core.embodiment import ARM, HAND
from hop_core.robot_config import TableConfig


class PlaceConfig(Config):
    """Where a thing may stand on the table.

    Attributes:
        center_m: middle of the rectangle, x and y in base_link.
        spread_m: half-widths of the uniform position.
        yaw_rad: half-width of the uniform yaw.
    """

    center_m: tuple[float, float]
    spread_m: tuple[NonNegativeFloat, NonNegativeFloat]
    yaw_rad: float = Field(ge=0.0, le=3.15)


class DemoStartConfig(Config):
    """Where demonstrations start; see `config/tasks/grasp_lift.yaml`."""

    noise_arm_rad: float = Field(ge=0.0, le=0.5)
    noise_hand_rad: float = Field(ge=0.0, le=0.5)
    near: float = Field(ge=0.0, le=1.0)
    after_miss: float = Field(ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _shares(self) -> DemoStartConfig:
        if self.near + self.after_miss > 1.0:
            raise ValueError("near and after_miss are shares: together at most 1")
        return self


@dataclass(frozen=True)
class Placement:
    """Where a thing stands in B episodes.

    Attributes:
        position_m: (B, 3) its footprint's middle in base_link.
        yaw_rad: (B,) its rotation about z.
    """

    position_m: np.ndarray
    yaw_rad: np.ndarray


@dataclass(frozen=True)
class TaskStart:
    """Start states of B episodes.

    Attributes:
        object_index: (B,) which of the task's `choices` is the object in play.
        position_m: (B, 3) its footprint's middle in base_link.
        yaw_rad: (B,) its rotation about z.
        q: (B, 23) joint angles [rad].
        others: where the other things of the scene stand; those that are not named are out of play.
    """

    object_index: np.ndarray
    position_m: np.ndarray
    yaw_rad: np.ndarray
    q: np.ndarray
    others: dict[str, Placement] = field(default_factory=dict)


def draw_places(
    place: PlaceConfig, table: TableConfig, batch: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw (batch, 3) places of a thing's foot on the table [m]."""
    offset = rng.uniform(-1.0, 1.0, (batch, 2)) * place.spread_m
    height = np.full((batch, 1), table.center_m[2])
    return np.concatenate([place.center_m + offset, height], axis=1)


def draw_placement(
    place: PlaceConfig, table: TableConfig, batch: int, rng: np.random.Generator
) -> Placement:
    """Draw `batch` places and yaws of a thing on the table."""
    position_m = draw_places(place, table, batch, rng)
    return Placement(position_m, rng.uniform(-place.yaw_rad, place.yaw_rad, batch))


def draw_noise(batch: int, arm_rad: float, hand_rad: float, rng: np.random.Generator) -> np.ndarray:
    """Draw (batch, 23) joint angles about zero [rad], uniform in half-widths."""
    half_width = np.empty(23)
    half_width[ARM], half_width[HAND] = arm_rad, hand_rad
    return rng.uniform(-1.0, 1.0, (batch, 23)) * half_width
