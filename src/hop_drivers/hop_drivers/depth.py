"""Metric depth as the depth topic carries it.

Whole millimetres in 16 bits, with codes for what was not measured.
"""

from __future__ import annotations

import numpy as np

from hop_core.depth_codes import TOO_CLOSE_MM, TOO_FAR_MM, UNKNOWN_MM

_LARGEST_MM = 65534


def depth_to_mm(depth_m: np.ndarray) -> np.ndarray:
    """Return depth (H, W) as uint16 [mm]: 0 unknown, 1 too close, 65535 too far.

    Args:
        depth_m: (H, W) float32 [m] as the ZED SDK gives it: NaN unknown, -inf too close, +inf too
            far.
    """
    with np.errstate(invalid="ignore"):
        mm = np.rint(np.clip(depth_m * 1000.0, TOO_CLOSE_MM, _LARGEST_MM))
        mm[depth_m * 1000.0 > _LARGEST_MM] = TOO_FAR_MM  # +inf too
    mm[np.isnan(depth_m)] = UNKNOWN_MM
    return mm.astype(np.uint16)
