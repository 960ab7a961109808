"""The retargeting error as dots and strokes: green near, yellow at the limit, red beyond."""

from __future__ import annotations

import numpy as np

from hop_core.retargeting.config import RetargetConfig
from hop_core.retargeting.robot_points import RobotPoints
from hop_sim.view.drawing import Dots, Layer, Strokes
from hop_sim.view.overlay import Overlay

ERROR_LIMIT_M = 0.03
"""Source: Singh et al. 2024, section IV: a trajectory whose error is below 3 cm is kept."""
_UNKNOWN_RGB = (0.6, 0.6, 0.6)
_STOPS_M = (0.0, ERROR_LIMIT_M, 2.0 * ERROR_LIMIT_M)
_STOPS_RGB = np.array([(0.10, 0.65, 0.20), (0.95, 0.75, 0.05), (0.85, 0.10, 0.10)])
_DOT_M = 0.008
_STROKE_M = 0.002


def error_rgb(error_m: np.ndarray) -> np.ndarray:
    """Return colours (T, 3) of errors (T,) [m]; grey where they are not known."""
    channels = [np.interp(error_m, _STOPS_M, _STOPS_RGB[:, i]) for i in range(3)]
    known = np.isfinite(error_m)[:, None]
    return np.asarray(np.where(known, np.stack(channels, axis=1), _UNKNOWN_RGB))


def scored_points(q: np.ndarray, config: RetargetConfig) -> np.ndarray:
    """Return the robot's points that count (T, S, 3) in base_link [m], at `q` (T, 23) [rad]."""
    points = RobotPoints(config).batch_positions(np.asarray(q, dtype=np.float64))
    return np.asarray(points[:, config.scored])


def robot_dots(points_m: np.ndarray, error_m: np.ndarray) -> Dots:
    """Return the robot's points (T, S, 3), coloured by the error (T,) [m]."""
    return Dots("error/robot", Layer.ERROR, _DOT_M, points_m, error_rgb(error_m))


def miss_strokes(
    points_m: np.ndarray, error_m: np.ndarray, overlay: Overlay, config: RetargetConfig
) -> Strokes:
    """Return strokes from the robot's points to the human keypoints that they shall meet.

    Before the track begins they have no length.

    Args:
        points_m: (T, S, 3) of `scored_points`.
        error_m: (T,) which colours them.
        overlay: the hand.
        config: the correspondence.
    """
    goals = overlay.keypoints_m[:, config.keypoints[config.scored]]
    goals = np.where(overlay.waiting[:, None, None], points_m, goals)
    ends = np.stack([points_m, goals], axis=2)
    return Strokes("error/strokes", Layer.ERROR, _STROKE_M, ends, error_rgb(error_m))


def disagreement_m(
    points_m: np.ndarray, error_m: np.ndarray, overlay: Overlay, config: RetargetConfig
) -> float:
    """Return by how much the drawn error differs from the stored one (median over the track) [m].

    It shows whether hand and robot are laid over each other as they were when the store was made;
    NaN if the store knows no error. Arguments as in `miss_strokes`.
    """
    goals = overlay.keypoints_m[:, config.keypoints[config.scored]]
    drawn = np.linalg.norm(points_m - goals, axis=2).mean(axis=1)
    apart = np.abs(drawn - error_m)[overlay.lead_in :]
    known = apart[np.isfinite(apart)]
    return float(np.median(known)) if len(known) else float("nan")
