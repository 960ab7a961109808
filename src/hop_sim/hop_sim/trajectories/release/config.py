"""What an imported trajectory must be like, and what is known of the release's conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from hop_core.config import Config, config_path, load_config
from hop_core.embodiment import ARM_JOINTS, FINGERS, HOP_SIM_JOINTS
from hop_core.release_frame import ReleaseFrame, load_release_frame

JointOrder = Literal["disk", "simulator"]
# The release's files number the hand's joints 0 to 15 as index, middle, ring, thumb. Source: HOP
# release, robot_dataset.
JOINT_ORDERS: dict[JointOrder, tuple[str, ...]] = {
    "disk": ARM_JOINTS + tuple(f"allegro_{finger}_{i}" for finger in FINGERS for i in range(4)),
    "simulator": HOP_SIM_JOINTS,
}


class ReleaseConfig(Config):
    """`release_import.yaml`, with the release's frame.

    Attributes:
        frame: of the clouds; `release_frame.yaml`.
        rigid_m: largest distance of any point from its place on the rigid object.
        same_object_m: clouds that can be brought together this well are of one object.
        joint_slack_rad: how far beyond the release's own joint limits an angle may be.
        reach_m: largest distance of the object from the base.
        min_frames: shortest trajectory.
    """

    frame: ReleaseFrame
    rigid_m: float = Field(gt=0.0)
    same_object_m: float = Field(gt=0.0)
    joint_slack_rad: float = Field(ge=0.0)
    reach_m: float = Field(gt=0.0)
    min_frames: int = Field(ge=2)


def load_release_config(config_dir: Path | str | None = None) -> ReleaseConfig:
    """Return `release_import.yaml` with `release_frame.yaml`.

    Raises:
        ConfigError: one of them is missing or breaks a rule.
    """
    frame = {"frame": load_release_frame(config_dir)}
    return load_config(config_path("release_import.yaml", config_dir), ReleaseConfig, frame)
