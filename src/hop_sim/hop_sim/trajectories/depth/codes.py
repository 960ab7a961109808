"""The 60x60 depth of the policy as whole numbers, on the disk and on demand alike."""

from __future__ import annotations

import numpy as np

STEP_M = 0.00025
"""A code's step, far below stereo noise; 16 bits of it reach 16 m."""


def encode(depth_m: np.ndarray) -> np.ndarray:
    """Return depth (...) [m], as pooled and clipped for the policy, in steps: (...) uint16."""
    return np.asarray(np.rint(depth_m / np.float32(STEP_M)), dtype=np.uint16)


def decode(codes: np.ndarray) -> np.ndarray:
    """Return the depth (...) float32 [m] of codes (...) uint16."""
    return np.asarray(codes.astype(np.float32) * np.float32(STEP_M))
