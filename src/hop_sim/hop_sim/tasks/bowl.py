"""The bowl of a task: its inner size, and where points are in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.scene import ObjectConfig

BOWL = "bowl"
"""Name of the bowl among a task's objects."""


@dataclass(frozen=True)
class Bowl:
    """A bowl's inside: a cylinder in the bowl's frame, whose z is its axis.

    Attributes:
        radius_m: of the inside.
        rim_m: height of the rim above the foot.
    """

    radius_m: float
    rim_m: float

    @classmethod
    def of(cls, config: ObjectConfig) -> Bowl:
        """Return the inside of an object with a wall.

        Raises:
            ValueError: it has none.
        """
        if config.wall is None:
            raise ValueError(f"the object '{BOWL}' needs a wall to be hollow")
        return cls(config.wall.inner_radius_m, config.wall.to_m)

    def axis_distance_m(self, points_m: np.ndarray) -> np.ndarray:
        """Return the distances (...) of `points_m` (..., 3), in the bowl's frame, from its axis."""
        return np.asarray(np.linalg.norm(points_m[..., :2], axis=-1))

    def contains(self, points_m: np.ndarray) -> np.ndarray:
        """Return (...) whether `points_m` (..., 3), in the bowl's frame, are inside it."""
        z = points_m[..., 2]
        below_rim = (z > 0.0) & (z < self.rim_m)
        return np.asarray((self.axis_distance_m(points_m) < self.radius_m) & below_rim)


def in_frame(T_base_frame: np.ndarray, points_m: np.ndarray) -> np.ndarray:
    """Return `points_m` (..., 3) of base_link in the frame at `T_base_frame` (4, 4) [m]."""
    return np.asarray((points_m - T_base_frame[:3, 3]) @ T_base_frame[:3, :3])
