"""What differs between the attempts at one track: start, placement, obstacles, physics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import ARM, HAND, Embodiment
from hop_sim.retarget.config import EngineConfig, ObstacleConfig
from hop_sim.retarget.scene import TABLE_HALF_M
from hop_sim.tracks.keypoints import MIDDLE_KNUCKLE, WRIST
from hop_sim.tracks.resample import Track20
from hop_sim.tracks.rigid import transform

_TRIALS = 30  # places tried for an obstacle before it is left out
_CELL_M = 0.02  # of the grid of places that hand and object take
PARKED_M = np.array([-2.0, 0.0, -0.5])  # of an obstacle that is not in play, in base_link


@dataclass(frozen=True)
class Attempts:
    """B attempts at one track.

    Attributes:
        number: (B,) int, which attempts they are.
        q: (B, 23) start [rad].
        T_base_table: (B, 4, 4) the track's table frame in base_link.
        obstacle_m: (B, M, 3) centres in base_link; parked ones are not in play.
        obstacle_half_m: (M, 3) half edges, the same in all attempts at a track.
        friction: (B,) sliding friction of everything.
        gain: (B,) factor on stiffness and damping of the servos.
    """

    number: np.ndarray
    q: np.ndarray
    T_base_table: np.ndarray
    obstacle_m: np.ndarray
    obstacle_half_m: np.ndarray
    friction: np.ndarray
    gain: np.ndarray

    def __len__(self) -> int:
        """Return B."""
        return len(self.number)

    @property
    def yaw_rad(self) -> np.ndarray:
        """(B,) turn of the table frame about the vertical."""
        return np.asarray(np.arctan2(self.T_base_table[:, 1, 0], self.T_base_table[:, 0, 0]))


def draw_attempts(
    track: Track20, numbers: range, config: EngineConfig, embodiment: Embodiment, seed: int
) -> Attempts:
    """Draw the attempts `numbers` at `track`.

    Each depends on `seed`, the track's name and its own number alone: not on how many there are.
    """
    name = track.name.encode()
    half_m = np.random.default_rng([seed, *name]).uniform(
        *config.obstacles.size_m, (config.obstacles.most, 3)
    )
    rngs = [np.random.default_rng([seed, number, *name]) for number in numbers]
    course = _Course(track)
    tables = [_table(course, config, rng) for rng in rngs]
    obstacles = [
        _obstacles(course, config.obstacles, half_m, T, rng)
        for T, rng in zip(tables, rngs, strict=True)
    ]
    return Attempts(
        number=np.array(numbers, dtype=np.int64),
        q=np.array([_start(config, embodiment, rng) for rng in rngs]),
        T_base_table=np.array(tables),
        obstacle_m=np.array(obstacles),
        obstacle_half_m=half_m,
        friction=np.array([rng.uniform(*config.physics_noise.friction) for rng in rngs]),
        gain=np.array([rng.uniform(*config.physics_noise.gain) for rng in rngs]),
    )


class _Course:
    """Where hand and object of a track are over its table.

    Attributes:
        middle_m: (3,) of the box about them, on the table.
        heading_rad: to where the forearm points, over the whole track; 0 is x of the table frame.
        taken_m: (P, 2) middles of the cells of the table above which something of them is at some
            time: of the object the corners of its box.
    """

    def __init__(self, track: Track20) -> None:
        places = np.concatenate([track.keypoints_m.mean(axis=1), track.T_table_object[:, :3, 3]])
        middle = 0.5 * (places.min(axis=0) + places.max(axis=0))
        self.middle_m = middle * [1.0, 1.0, 0.0]
        forearm = track.keypoints_m[:, MIDDLE_KNUCKLE] - track.keypoints_m[:, WRIST]
        x, y, _ = forearm.mean(axis=0)
        self.heading_rad = float(np.arctan2(y, x))
        corners = transform(track.T_table_object, _box_corners(track.object_points_m))
        taken = np.concatenate([track.keypoints_m, corners], axis=1)[..., :2].reshape(-1, 2)
        self.taken_m = np.unique(np.round(taken / _CELL_M), axis=0) * _CELL_M


def _box_corners(points_m: np.ndarray) -> np.ndarray:
    """(8, 3) corners of the box along the axes about `points_m` (P, 3)."""
    ends = np.stack([points_m.min(axis=0), points_m.max(axis=0)])
    return np.array([[ends[i, 0], ends[j, 1], ends[k, 2]] for i, j, k in np.ndindex(2, 2, 2)])


def _start(config: EngineConfig, embodiment: Embodiment, rng: np.random.Generator) -> np.ndarray:
    """(23,) joint angles: home with its noise, sometimes with a wider one."""
    start, width = config.start, np.empty(23)
    width[HAND] = start.noise_hand_rad
    is_wide = rng.random() < start.wide_share
    width[ARM] = start.wide_arm_rad if is_wide else start.noise_arm_rad
    return embodiment.clip(embodiment.home + rng.uniform(-1.0, 1.0, 23) * width)


def _table(course: _Course, config: EngineConfig, rng: np.random.Generator) -> np.ndarray:
    """(4, 4) table frame: the forearm points away from the robot, give or take."""
    place = config.placement
    yaw = rng.uniform(-place.yaw_rad, place.yaw_rad) - course.heading_rad
    T = np.eye(4)
    T[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    half_width = np.array([place.x_m, place.y_m, place.height_m])
    centre = rng.uniform(-1.0, 1.0, 3) * half_width + [place.distance_m, 0.0, 0.0]
    T[:3, 3] = centre - T[:3, :3] @ course.middle_m
    return T


def _obstacles(
    course: _Course,
    config: ObstacleConfig,
    half_m: np.ndarray,
    T_base_table: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Centres (M, 3) in base_link of boxes that stand on the table, beside the track."""
    centres = np.tile(PARKED_M, (len(half_m), 1))
    for i in range(rng.integers(0, len(half_m) + 1)):
        spot = _free_spot(course.taken_m, half_m[i], config.clearance_m, rng)
        if spot is not None:
            centres[i] = T_base_table[:3, :3] @ [*spot, half_m[i, 2]] + T_base_table[:3, 3]
    return centres


def _free_spot(
    taken_m: np.ndarray, half_m: np.ndarray, clearance_m: float, rng: np.random.Generator
) -> np.ndarray | None:
    """Where (2,) on the table [m] a box stands clear of `taken_m` (P, 2), if a place is found."""
    room = TABLE_HALF_M - half_m[:2]
    clear = half_m[:2] + 0.5 * _CELL_M
    for _ in range(_TRIALS):
        spot = np.asarray(rng.uniform(-room, room))
        apart = np.maximum(np.abs(taken_m - spot) - clear, 0.0)
        if np.linalg.norm(apart, axis=1).min() > clearance_m:
            return spot
    return None
