"""Angles of rotation matrices; needs no model of the robot."""

from __future__ import annotations

import numpy as np


def angle_between(a: np.ndarray, b: np.ndarray) -> float:
    """Return the angle of the rotation from `a` (3, 3) to `b` [rad]."""
    return float(np.arccos(np.clip(0.5 * (np.trace(a.T @ b) - 1.0), -1.0, 1.0)))
