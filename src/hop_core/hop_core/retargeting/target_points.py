"""From human hand keypoints to the goals x_h of Eq. 1."""

from __future__ import annotations

import numpy as np

from hop_core.errors import RetargetingError
from hop_core.retargeting.config import KEYPOINTS, RetargetConfig


def target_points(
    keypoints_m: np.ndarray, config: RetargetConfig, scale_about_m: np.ndarray | None = None
) -> np.ndarray:
    """Return the goals of the robot's points.

    Args:
        keypoints_m: (T, 21, 3) human keypoints in base_link [m], OpenPose order.
        config: correspondence and scale.
        scale_about_m: (3,) the point in base_link [m] about which object and track are scaled too;
            needed when the scale is not 1.

    Returns:
        (T, K, 3) float64 goals x_h in base_link [m], in the order of `config.points`.

    Raises:
        RetargetingError: wrong shape, a keypoint that is not finite, or a scale without its point.
    """
    keypoints = np.asarray(keypoints_m, dtype=np.float64)
    if keypoints.ndim != 3 or keypoints.shape[1:] != (KEYPOINTS, 3):
        raise RetargetingError(
            f"human keypoints must have shape (T, {KEYPOINTS}, 3), got {keypoints.shape}"
        )
    points = keypoints[:, config.keypoints]
    finite = np.isfinite(points).all(axis=(1, 2))
    if not finite.all():
        raise RetargetingError(
            f"human keypoints of frame {int(np.argmin(finite))} are not finite; fill or drop "
            f"{int((~finite).sum())} such frames first"
        )
    if config.scale == 1.0:
        return points
    if scale_about_m is None:
        raise RetargetingError(
            f"scale {config.scale} needs the point about which the object is scaled too; pass "
            f"scale_about_m, or set scale to 1.0"
        )
    centre = np.asarray(scale_about_m, dtype=np.float64)
    return np.asarray(centre + config.scale * (points - centre))
