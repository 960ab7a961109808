"""The configuration of the generator of synthetic tracks; see `config/synthetic_tracks.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from hop_core.config import Config, config_path, load_config


def _in_order(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError("must be [lower, upper]")
    return value


Range = Annotated[tuple[float, float], AfterValidator(_in_order)]
Point = tuple[float, float, float]


class HandConfig(Config):
    """A mean hand and how hands differ; lengths [m] in the palm's frame.

    Attributes:
        thumb, index, middle, ring, little: bones from root to tip.
        wrist, thumb_root, index_root, ring_root, little_root: places; the middle finger's is 0.
        rest_tips: fingertips of a hand at rest, thumb first.
        finger_coupling, thumb_coupling: bend of the last joint over that of the one before.
        most_bend_deg: of the middle joint.
        size_deviation, bone_deviation: relative standard deviations.
    """

    thumb: Point
    index: Point
    middle: Point
    ring: Point
    little: Point
    wrist: Point
    thumb_root: Point
    index_root: Point
    ring_root: Point
    little_root: Point
    rest_tips: tuple[Point, Point, Point, Point, Point]
    finger_coupling: float = Field(ge=0.0, le=2.0)
    thumb_coupling: float = Field(ge=0.0, le=2.0)
    most_bend_deg: float = Field(gt=0.0, le=120.0)
    size_deviation: float = Field(ge=0.0, le=0.15)
    bone_deviation: float = Field(ge=0.0, le=0.1)


class GraspConfig(Config):
    """How a hand grasps; ranges are drawn uniformly."""

    azimuth_deg: Range
    elevation_deg: Range
    roll_deg: Range
    height: Range
    palm_m: Range
    along_m: Range
    across_m: Range
    thumb_across_m: Range
    depth_m: Range
    spread: Range
    width_m: Range
    slope_deg: float = Field(gt=0.0, lt=90.0)
    side_slope_deg: float = Field(gt=0.0, lt=90.0)
    abduction_deg: float = Field(gt=0.0, lt=90.0)
    open_m: Range
    clear_palm_m: float = Field(ge=0.0)
    clear_finger_m: float = Field(ge=0.0)
    clear_table_m: float = Field(ge=0.0)


class MotionConfig(Config):
    """How hand and object move; ranges are drawn uniformly."""

    start_m: Range
    start_azimuth_deg: Range
    start_height_m: Range
    start_turn_deg: float = Field(ge=0.0, le=90.0)
    straight_m: Range
    rise_m: Range
    reach_speed_m_s: Range
    carry_speed_m_s: Range
    turn_speed_rad_s: Range
    least_s: float = Field(gt=0.0)
    close_s: Range
    close_from: float = Field(gt=0.0, le=1.0)
    pause_s: Range
    moves: tuple[int, int]
    rest_share: float = Field(ge=0.0, le=1.0)
    put_down_share: float = Field(ge=0.0, le=1.0)
    slide_share: float = Field(ge=0.0, le=1.0)
    table_x_m: Range
    table_y_m: Range
    move_m: Range
    hold_m: Range
    bow_m: Range
    yaw_deg: Range
    tilt_deg: Range
    sink_m: float = Field(ge=0.0)
    inside: float = Field(gt=0.0, le=1.0)

    @model_validator(mode="after")
    def _some_move(self) -> MotionConfig:
        if not 1 <= self.moves[0] <= self.moves[1]:
            raise ValueError("moves must be [fewest, most], at least one")
        return self


class NoiseConfig(Config):
    """Standard deviations of what a tracker would get wrong; see the file for each."""

    drift_m: float = Field(ge=0.0)
    drift_deg: float = Field(ge=0.0)
    drift_s: float = Field(gt=0.0)
    shake_m: float = Field(ge=0.0)
    shake_deg: float = Field(ge=0.0)
    tip_m: float = Field(ge=0.0)
    object_m: float = Field(ge=0.0)
    object_deg: float = Field(ge=0.0)


class KindConfig(Config):
    """One kind of object.

    Attributes:
        width_m: in x.
        depth: in y, over the width.
        height_m: of the object.
        squareness: exponent of the outline.
        profile: pairs of height and width, as shares, from the foot up.
    """

    width_m: Range
    depth: Range
    height_m: Range
    squareness: float = Field(ge=1.0, le=40.0)
    profile: tuple[tuple[float, float], ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _from_foot_to_top(self) -> KindConfig:
        heights = [height for height, _ in self.profile]
        if heights[0] != 0.0 or heights[-1] != 1.0 or heights != sorted(set(heights)):
            raise ValueError("profile must go from height 0 to 1 in increasing steps")
        if min(width for _, width in self.profile) <= 0.0:
            raise ValueError("profile must be wider than 0 everywhere")
        return self


class SyntheticConfig(Config):
    """All of `config/synthetic_tracks.yaml`.

    Attributes:
        fps: frames per second.
        attempts: tries per track.
        hands: different hands.
        catalogue_seed: of the objects' sizes.
        variants: objects of each kind.
        hand, grasp, motion, noise: see there.
        objects: kinds by name.
    """

    fps: float = Field(gt=0.0, le=240.0)
    attempts: int = Field(ge=1)
    hands: int = Field(ge=1)
    catalogue_seed: int = Field(ge=0)
    variants: int = Field(ge=1)
    hand: HandConfig
    grasp: GraspConfig
    motion: MotionConfig
    noise: NoiseConfig
    objects: dict[str, KindConfig] = Field(min_length=1)


def load_synthetic_config(config_dir: Path | str | None = None) -> SyntheticConfig:
    """Return `synthetic_tracks.yaml` of `config_dir`, or the installed one.

    Raises:
        ConfigError: it is missing, or a key or value is not allowed.
    """
    return load_config(config_path("synthetic_tracks.yaml", config_dir), SyntheticConfig)
