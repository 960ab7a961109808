"""A grasp between thumb and fingers: where the palm is and where the tips touch the object.

The hand comes from a side, from the top or from between. The tips lie on the surface where lines
along the direction of the grip meet it from outside, the thumb on one side and the fingers on the
other. What no hand could do is refused, and the caller draws again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.tracks.keypoints import KEYPOINTS, KNUCKLES, TIPS, WRIST
from hop_sim.tracks.rigid import inverse, pose, rotation_about, transform
from hop_sim.tracks.synthetic.config import GraspConfig
from hop_sim.tracks.synthetic.hand import FINGERS, THUMB, Hand
from hop_sim.tracks.synthetic.shape import Shape

_OUTSIDE_M = 0.20  # rays start so far from the axis
_NEEDED = (0, 1, 2)  # thumb, index and middle finger touch in every grasp
_PALM = (WRIST, 1, *KNUCKLES)
_LAST_JOINTS = tuple(tip - 1 for tip in TIPS)
_OTHERS = tuple(i for i in range(KEYPOINTS) if i not in (*_PALM, *TIPS, *_LAST_JOINTS))


@dataclass(frozen=True)
class Grasp:
    """A grasp of one object by one hand.

    Attributes:
        T_object_palm: (4, 4).
        tips_m: (5, 3) in the palm's frame; those that touch lie on the surface.
        touches: (5,) bool, thumb first.
        open_tips_m: (5, 3) just before and after the grasp.
        elevation_rad: 0 from the side, pi / 2 from the top.
    """

    T_object_palm: np.ndarray
    tips_m: np.ndarray
    touches: np.ndarray
    open_tips_m: np.ndarray
    elevation_rad: float


def draw_grasp(
    shape: Shape,
    cloud: np.ndarray,
    T_table_object: np.ndarray,
    hand: Hand,
    config: GraspConfig,
    rng: np.random.Generator,
) -> Grasp | None:
    """Return a grasp of the object where it stands, or None if what was drawn cannot be done.

    Args:
        shape: of the object.
        cloud: (P, 3) points on its surface.
        T_table_object: (4, 4).
        hand: that grasps.
        config: ranges and limits.
        rng: draws.
    """
    palm_m = rng.uniform(*config.palm_m)
    T_table_palm, elevation = _draw_palm(shape, T_table_object, palm_m, config, rng)
    T_object_palm = inverse(T_table_object) @ T_table_palm
    aims = _aims(hand, palm_m, config, rng)
    tips, touches = _contacts(shape, T_object_palm, aims, hand, config)
    if not touches[list(_NEEDED)].all():
        return None
    grip_m = tips[1:3, 2].mean() - tips[THUMB, 2]
    if not config.width_m[0] <= grip_m <= config.width_m[1]:
        return None
    keypoints = hand.keypoints_m(T_table_palm[None], tips[None])
    if keypoints[..., 2].min() < config.clear_table_m:
        return None
    if not _is_clear(shape, cloud, transform(inverse(T_table_object), keypoints)[0], config):
        return None
    opened = tips.copy()
    opened[:, 2] += np.where(np.arange(len(FINGERS)) == THUMB, -1.0, 1.0) * rng.uniform(
        *config.open_m
    )
    return Grasp(T_object_palm, tips, touches, opened, elevation)


def draw_turn(config: GraspConfig, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Return how a palm is turned (3, 3) as for a grasp, and the elevation [rad].

    The palm's z is the direction of the grip, level before the roll. Its x, out of the palm, goes
    from level (elevation 0) to straight down.
    """
    azimuth, elevation, roll = (
        np.radians(rng.uniform(*each))
        for each in (config.azimuth_deg, config.elevation_deg, config.roll_deg)
    )
    z = np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    level, down = np.array([-z[1], z[0], 0.0]), np.array([0.0, 0.0, -1.0])
    x = np.cos(elevation) * level + np.sin(elevation) * down
    return rotation_about(x, roll) @ np.stack([x, np.cross(z, x), z], axis=1), float(elevation)


def _draw_palm(
    shape: Shape,
    T_table_object: np.ndarray,
    palm_m: float,
    config: GraspConfig,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """T_table_palm (4, 4) and the elevation [rad]."""
    rotation, elevation = draw_turn(config, rng)
    height_m = rng.uniform(*config.height) * shape.height_m
    axis = transform(T_table_object, np.array([[0.0, 0.0, height_m]]))[0]
    before = [palm_m, rng.uniform(*config.across_m), rng.uniform(*config.along_m)]
    return pose(rotation, axis - rotation @ np.array(before)), elevation


def _aims(hand: Hand, palm_m: float, config: GraspConfig, rng: np.random.Generator) -> np.ndarray:
    """(5, 2) x and y in the palm's frame of the lines on which the tips are looked for."""
    y = hand.roots_m[:, 1] * rng.uniform(*config.spread)
    y[THUMB] = rng.uniform(*config.thumb_across_m)
    x = palm_m + rng.uniform(*config.depth_m, size=len(FINGERS))
    return np.stack([x, y], axis=1)


def _contacts(
    shape: Shape,
    T_object_palm: np.ndarray,
    aims: np.ndarray,
    hand: Hand,
    config: GraspConfig,
) -> tuple[np.ndarray, np.ndarray]:
    """Tips (5, 3) in the palm's frame, and which of them touch; the others stay at rest."""
    grip = T_object_palm[:3, 2]
    inward = np.where(np.arange(len(FINGERS)) == THUMB, 1.0, -1.0)[:, None] * grip
    lines = transform(T_object_palm, np.column_stack([aims, np.zeros(len(aims))]))
    points = shape.hit(lines - _OUTSIDE_M * inward, inward, 2.0 * _OUTSIDE_M)
    met = np.isfinite(points).all(axis=1)
    tips = hand.rest_tips_m.copy()
    tips[met] = transform(inverse(T_object_palm), points[met])
    facing = -np.einsum("ri,ri->r", shape.normals(np.nan_to_num(points)), inward)
    slope = np.array([config.slope_deg] * len(_NEEDED) + [config.side_slope_deg] * 2)
    touches = met & (facing >= np.cos(np.radians(slope))) & _reachable(hand, tips, config)
    tips[~touches] = hand.rest_tips_m[~touches]
    return tips, touches


def _reachable(hand: Hand, tips_m: np.ndarray, config: GraspConfig) -> np.ndarray:
    """(5,) whether each finger can reach its tip without swinging too far sideways."""
    along = tips_m - hand.roots_m
    distance = np.linalg.norm(along, axis=1)
    reaches = np.array([hand.reaches_m(finger) for finger in range(len(FINGERS))])
    sideways = np.abs(np.arcsin(np.clip(along[:, 1] / distance, -1.0, 1.0)))
    straight = sideways <= np.radians(config.abduction_deg)
    straight[THUMB] = True  # the thumb's root is a saddle that turns both ways
    return np.asarray((distance > reaches[:, 0]) & (distance < reaches[:, 1]) & straight)


def _is_clear(
    shape: Shape, cloud: np.ndarray, keypoints_m: np.ndarray, config: GraspConfig
) -> bool:
    """Whether palm and joints (21, 3) leave room for the flesh between them and the object."""
    joints = [*_PALM, *_OTHERS, *_LAST_JOINTS]
    if shape.inside(keypoints_m[joints]).any():
        return False
    apart = np.linalg.norm(keypoints_m[joints][:, None] - cloud, axis=2).min(axis=1)
    needed = np.where(np.isin(joints, _PALM), config.clear_palm_m, config.clear_finger_m)
    return bool((apart >= needed).all())
