"""All that decides what the depth images of a trajectory look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from hop_core.config import Config
from hop_core.errors import ConfigError, TrajectoryError
from hop_core.robot_config import CameraConfig, Vector3, load_robot
from hop_policy.contract import DepthContract, load_contract
from hop_sim.realism import Realism

_CELL = "twin"


class DepthRecipe(Config):
    """The camera, how wrong it is, and what the policy sees of its images.

    Attributes:
        camera: image, lens and nominal pose; what says how a device is reached has its defaults.
        contract: crop, pooling and clip.
        position_jitter_m, rotation_jitter_rad: half-widths of the uniform jitter of its pose, drawn
            once a trajectory.
        shift_m: added to its position, in base_link.
        noise: scale of the stereo noise; 0: none.
        seed: what all of it is drawn from, with the trajectory's track and attempt.
    """

    camera: CameraConfig
    contract: DepthContract
    position_jitter_m: float = Field(ge=0.0)
    rotation_jitter_rad: float = Field(ge=0.0)
    shift_m: Vector3
    noise: float = Field(ge=0.0)
    seed: int = Field(ge=0)

    def require_same(self, other: DepthRecipe, where: str) -> None:
        """Pass if `other`, that of a run, equals this one, which made the depth at `where`.

        Raises:
            TrajectoryError: naming what differs.
        """
        mine, theirs = _leaves(self.model_dump()), _leaves(other.model_dump())
        for name, value in mine.items():
            if value != theirs[name]:
                raise TrajectoryError(
                    f"{where}: was made with {name} {value}, this run has {theirs[name]}; give the "
                    f"same, or remove {where} to make it anew"
                )


def _leaves(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a configuration by their full names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= _leaves(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def load_recipe(
    realism: Realism | None = None,
    seed: int = 0,
    config_dir: Path | str | None = None,
) -> DepthRecipe:
    """Return the recipe for the camera of the twin's cell.

    Args:
        realism: multiples of the cell's own jitter and noise; default: those.
        seed: what is drawn is drawn from this.
        config_dir: folder of the configurations; default: the installed one.

    Raises:
        ConfigError: a configuration is missing or breaks a rule, or the cell has no twin.
    """
    realism, cell = realism or Realism(), load_robot(_CELL, config_dir)
    if cell.twin is None:
        raise ConfigError(
            f"the cell '{_CELL}' has no twin section that says how its camera jitters"
        )
    lens = cell.camera
    return DepthRecipe(
        camera=CameraConfig(
            resolution=lens.resolution,
            focal_per_width=lens.focal_per_width,
            near_m=lens.near_m,
            far_m=lens.far_m,
            position_m=lens.position_m,
            quaternion_wxyz=lens.quaternion_wxyz,
        ),
        contract=load_contract(config_dir, "depth").depth,
        position_jitter_m=realism.jitter * cell.twin.camera_position_jitter_m,
        rotation_jitter_rad=realism.jitter * cell.twin.camera_rotation_jitter_rad,
        shift_m=realism.shift_m,
        noise=realism.noise * cell.twin.depth_noise_scale,
        seed=seed,
    )
