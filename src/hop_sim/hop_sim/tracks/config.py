"""The configuration of tracks: filters, limits, and how data sets are read."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from hop_core.config import Config, config_path, load_config

Range = tuple[float, float]


class FilterConfig(Config):
    """How a track is filtered; see `config/tracks.yaml` for the reasons.

    Attributes:
        max_gap_s: longest gap that is bridged by interpolation.
        smooth_half_window_s: half the window of the local polynomial.
        smooth_order: order of that polynomial.
        palm_speed_m_s, palm_turn_rad_s: fastest that the palm may move and turn when it is played.
        pace_window_s: the pace changes over this time.
        contact_m: distance from fingertip to object that counts as contact.
    """

    max_gap_s: float = Field(ge=0.0, le=1.0)
    smooth_half_window_s: float = Field(gt=0.0, le=1.0)
    smooth_order: int = Field(ge=0, le=3)
    palm_speed_m_s: float = Field(gt=0.0, le=2.0)
    palm_turn_rad_s: float = Field(gt=0.0, le=10.0)
    pace_window_s: float = Field(ge=0.0, le=2.0)
    contact_m: float = Field(gt=0.0, le=0.1)


class LimitConfig(Config):
    """What a track must keep to be used; see `config/tracks.yaml` for the reasons.

    Attributes:
        stretch_s: shortest that the longest stretch of valid frames may be.
        valid_share: least share of valid frames.
        palm_length_m: wrist to middle knuckle.
        bone_variation: largest deviation of a bone's length over its mean.
        object_size_m: diagonal of the object's box.
        palm_speed_m_s: fastest palm.
        workspace_radius_m: about the origin, horizontally.
        workspace_height_m: above the table.
        workspace_s: least time that palm and object spend together in the workspace.
        touch_m: the hand comes at least so near the object.
        untouched_m: a hand farther away does not touch the object.
        untouched_drift_m: farthest that an object moves untouched.
        below_table_m: deepest that the object reaches below the table.
        camera_drift_m, camera_drift_rad: of a camera that is said to stand.
        camera_disagreement_m: between cameras that see the same hand.
    """

    stretch_s: float = Field(gt=0.0)
    valid_share: float = Field(gt=0.0, le=1.0)
    palm_length_m: Range
    bone_variation: float = Field(gt=0.0)
    object_size_m: Range
    palm_speed_m_s: float = Field(gt=0.0)
    workspace_radius_m: float = Field(gt=0.0)
    workspace_height_m: Range
    workspace_s: float = Field(ge=0.0)
    touch_m: float = Field(gt=0.0)
    untouched_m: float = Field(gt=0.0)
    untouched_drift_m: float = Field(gt=0.0)
    below_table_m: float = Field(gt=0.0)
    camera_drift_m: float = Field(gt=0.0)
    camera_drift_rad: float = Field(gt=0.0)
    camera_disagreement_m: float = Field(gt=0.0)

    @field_validator("palm_length_m", "object_size_m", "workspace_height_m")
    @classmethod
    def _in_order(cls, value: Range) -> Range:
        if not value[0] < value[1]:
            raise ValueError("must be [lower, upper] with lower < upper")
        return value


class DexYcbConfig(Config):
    """How DexYCB is read.

    Attributes:
        fps: frame rate of its cameras.
        compared_cameras: cameras read per frame; the first that sees the hand gives the keypoints.
    """

    fps: float = Field(gt=0.0)
    compared_cameras: int = Field(ge=1)


class TracksConfig(Config):
    """All of `config/tracks.yaml`.

    Attributes:
        object_points: points on an object's surface.
        filters: how a track is filtered.
        limits: what a track must keep.
        dexycb: how DexYCB is read.
    """

    object_points: int = Field(ge=100, le=20000)
    filters: FilterConfig
    limits: LimitConfig
    dexycb: DexYcbConfig


def load_tracks_config(config_dir: Path | str | None = None) -> TracksConfig:
    """Return `tracks.yaml` of `config_dir`, or the installed one.

    Raises:
        ConfigError: it is missing, or a key or value is not allowed.
    """
    return load_config(config_path("tracks.yaml", config_dir), TracksConfig)
