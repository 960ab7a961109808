"""The frame in which the HOP release has its clouds, against the robot's base."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hop_core.config import Config, config_path, load_config

FILE = "release_frame.yaml"


class ReleaseFrame(Config):
    """`release_frame.yaml`: the pose of base_link in the release's env frame, z up in both.

    Attributes:
        base_in_env_m: origin of base_link [m].
        base_yaw_rad: turn of base_link about z.
    """

    base_in_env_m: tuple[float, float, float]
    base_yaw_rad: float

    def R_env_base(self) -> np.ndarray:
        """Return the rotation (3, 3) that turns directions of base_link into the env frame.

        A quarter turn is exact: it holds 0 and ±1 alone.
        """
        c, s = np.cos(self.base_yaw_rad), np.sin(self.base_yaw_rad)
        return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]).round(15)

    def to_base(self, points: np.ndarray) -> np.ndarray:
        """Return points (..., 3) [m] of the env frame in base_link."""
        return np.asarray((points - self.base_in_env_m) @ self.R_env_base())


def load_release_frame(config_dir: Path | str | None = None) -> ReleaseFrame:
    """Return `release_frame.yaml`.

    Raises:
        ConfigError: it is missing or breaks a rule.
    """
    return load_config(config_path(FILE, config_dir), ReleaseFrame)
