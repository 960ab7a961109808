"""The hand on its own: the reach for the object before a grasp, and the way back after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.rotation import angle_between
from hop_sim.tracks.rigid import pose, rotation_about
from hop_sim.tracks.synthetic.config import MotionConfig
from hop_sim.tracks.synthetic.course import (
    bezier,
    bezier_length,
    duration_s,
    minimum_jerk,
    turned,
)


@dataclass(frozen=True)
class Reach:
    """One reach: a curve whose last part runs along the palm's normal.

    Attributes:
        controls_m: (4, 3) of the palm's Bezier curve, from afar to the grasp.
        away: (3, 3) orientation afar.
        grasp: (3, 3) orientation of the grasp.
        seconds: of the movement.
    """

    controls_m: np.ndarray
    away: np.ndarray
    grasp: np.ndarray
    seconds: float

    def poses(self, time_s: np.ndarray) -> np.ndarray:
        """Return T_table_palm (T, 4, 4) at times (T,) since the beginning."""
        share = minimum_jerk(time_s / self.seconds)
        return pose(turned(self.away, self.grasp, share), bezier(self.controls_m, share))

    def poses_back(self, time_s: np.ndarray) -> np.ndarray:
        """Return T_table_palm (T, 4, 4) on the way from the grasp to afar."""
        return self.poses(self.seconds - time_s)


def draw_reach(T_table_palm: np.ndarray, config: MotionConfig, rng: np.random.Generator) -> Reach:
    """Return a reach that ends at the grasp `T_table_palm` (4, 4)."""
    grasp, palm = T_table_palm[:3, :3], T_table_palm[:3, 3]
    azimuth = np.radians(rng.uniform(*config.start_azimuth_deg))
    aside = rng.uniform(*config.start_m) * np.array([np.cos(azimuth), np.sin(azimuth)])
    away_m = np.array([*(palm[:2] + aside), rng.uniform(*config.start_height_m)])
    before = palm - rng.uniform(*config.straight_m) * grasp[:, 0]
    rise = np.array([0.0, 0.0, rng.uniform(*config.rise_m)])
    controls = np.stack([away_m, away_m + 0.4 * (before - away_m) + rise, before, palm])
    axis = rng.standard_normal(3)
    angle = np.radians(rng.uniform(0.0, config.start_turn_deg))
    away = rotation_about(axis / np.linalg.norm(axis), angle) @ grasp
    # On a cubic curve the speed along the parameter varies; its mean is what the draw is about.
    seconds = max(
        duration_s(bezier_length(controls), rng.uniform(*config.reach_speed_m_s), config.least_s),
        duration_s(
            angle_between(away, grasp), rng.uniform(*config.turn_speed_rad_s), config.least_s
        ),
    )
    return Reach(controls, away, grasp, seconds)
