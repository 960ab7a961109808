"""A human hand of plain segments that moves smoothly over a table."""

from __future__ import annotations

import numpy as np

# A right hand in its own frame [m]: wrist at the origin, z to the fingertips, y to the index
# finger, x out of the palm. Roots of index, middle, ring, little finger, and their segments.
ROOTS_M = np.array(
    [[0.0, 0.022, 0.088], [0.0, 0.0, 0.092], [0.0, -0.019, 0.087], [0.0, -0.036, 0.078]]
)
SEGMENTS_M = np.array(
    [[0.043, 0.026, 0.022], [0.048, 0.030, 0.023], [0.044, 0.028, 0.022], [0.034, 0.020, 0.020]]
)
SHARES = np.array([1.0, 0.9, 0.6])  # of a finger's bend, by joint
THUMB_ROOT_M, THUMB_SEGMENTS_M = np.array([0.012, 0.025, 0.022]), np.array([0.045, 0.032, 0.027])
THUMB_OPEN, THUMB_CLOSED = np.array([0.35, 0.75, 0.56]), np.array([0.85, -0.35, 0.4])
LOW_M, HIGH_M = np.array([0.4, -0.25, 0.15]), np.array([0.65, 0.25, 0.4])  # wrist, in base_link
WAYPOINTS = 5


def synthetic_hands(count: int, frames: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Returns `count` smooth motions of a hand, (frames, 21, 3) keypoints in base_link [m] each."""
    return [_motion(frames, rng) for _ in range(count)]


def _motion(frames: int, rng: np.random.Generator) -> np.ndarray:
    wrist = _smooth(rng.uniform(LOW_M, HIGH_M, (WAYPOINTS, 3)), frames)
    turns = np.radians([[-50.0, 20.0, -40.0], [50.0, 100.0, 40.0]])  # yaw, pitch down, roll
    angles = _smooth(rng.uniform(*turns, (WAYPOINTS, 3)), frames)
    bends = _smooth(rng.uniform(0.1, 1.1, (WAYPOINTS, 5)), frames)
    hand = np.stack([_hand(bend) for bend in bends])
    rotation = np.stack([_rotation(*angle) for angle in angles])
    return np.asarray(np.einsum("tij,tkj->tki", rotation, hand) + wrist[:, None])


def _smooth(waypoints: np.ndarray, frames: int) -> np.ndarray:
    """Cosine interpolation: it rests at each waypoint."""
    at = np.linspace(0.0, len(waypoints) - 1.0, frames)
    before = np.minimum(at.astype(int), len(waypoints) - 2)
    share = (0.5 - 0.5 * np.cos(np.pi * (at - before)))[:, None]
    return np.asarray((1 - share) * waypoints[before] + share * waypoints[before + 1])


def _hand(bend: np.ndarray) -> np.ndarray:
    """Keypoints (21, 3) in the hand's frame [m]; bends (5,) [rad] of thumb to little finger."""
    keypoints = np.zeros((21, 3))
    thumb = np.linspace(0.0, bend[0], 3)[:, None]
    way = np.cos(thumb) * THUMB_OPEN + np.sin(thumb) * THUMB_CLOSED
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    keypoints[1] = THUMB_ROOT_M
    keypoints[2:5] = THUMB_ROOT_M + np.cumsum(THUMB_SEGMENTS_M[:, None] * way, axis=0)
    for finger in range(4):
        angle = np.cumsum(SHARES * bend[finger + 1])
        way = np.stack([np.sin(angle), np.zeros(3), np.cos(angle)], axis=1)
        first = 5 + 4 * finger
        keypoints[first] = ROOTS_M[finger]
        steps = np.cumsum(SEGMENTS_M[finger][:, None] * way, axis=0)
        keypoints[first + 1 : first + 4] = ROOTS_M[finger] + steps
    return keypoints


def _rotation(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """The hand's axes in base_link: at 0 the fingers point forward and the palm looks down."""
    fingers = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
    left = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    index = np.cos(roll) * left + np.sin(roll) * np.cross(fingers, left)
    return np.stack([np.cross(index, fingers), index, fingers], axis=1)
