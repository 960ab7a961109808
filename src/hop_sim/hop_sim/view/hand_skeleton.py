"""The human hand as balls and strokes: 21 keypoints and their 20 bones."""

from __future__ import annotations

import numpy as np

from hop_sim.tracks.keypoints import BONES
from hop_sim.view.drawing import Dots, Layer, Strokes

HAND_RGB = (0.18, 0.45, 0.85)
CONTACT_RGB = (0.95, 0.45, 0.05)
SEEN_RGB = (0.55, 0.55, 0.58)
_BALL_M = 0.006
_BONE_M = 0.003


def hand_skeleton(
    keypoints_m: np.ndarray, contact: np.ndarray, waiting: np.ndarray | None = None
) -> tuple[Dots, Strokes]:
    """Return the skeleton of a hand, in another colour where it touches the object.

    Args:
        keypoints_m: (T, 21, 3) in the drawing's frame, OpenPose order.
        contact: (T,) whether a fingertip touches the object.
        waiting: (T,) where the hand's own movement has not begun: there it is grey.
    """
    rgb = np.where(contact[:, None], CONTACT_RGB, HAND_RGB)
    if waiting is not None:
        rgb = np.where(waiting[:, None], SEEN_RGB, rgb)
    return _skeleton(keypoints_m, rgb, Layer.HAND, 1.0)


def seen_skeleton(keypoints_m: np.ndarray) -> tuple[Dots, Strokes]:
    """Return the skeleton (T, 21, 3) before it was smoothed: thin and grey."""
    rgb = np.tile(np.array(SEEN_RGB), (len(keypoints_m), 1))
    return _skeleton(keypoints_m, rgb, Layer.SEEN_HAND, 0.6)


def _skeleton(
    keypoints_m: np.ndarray, rgb: np.ndarray, layer: Layer, thickness: float
) -> tuple[Dots, Strokes]:
    points, name = np.asarray(keypoints_m, dtype=np.float64), layer.value
    ends = points[:, np.array(BONES)]
    return (
        Dots(f"{name}/keypoints", layer, thickness * _BALL_M, points, rgb),
        Strokes(f"{name}/bones", layer, thickness * _BONE_M, ends, rgb),
    )
