"""What becomes of a grasped object: carried, slid, turned, held up and put down, in drawn order.

There is no script: each move goes to a drawn place on the table or in the air, each with its own
speed, bow, turn and pause.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.rotation import angle_between
from hop_sim.tracks.rigid import pose, rotation_about
from hop_sim.tracks.synthetic.config import MotionConfig
from hop_sim.tracks.synthetic.course import duration_s, minimum_jerk, turned

_TRIES = 20  # for a goal within the table's bounds
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Move:
    """One movement of the object.

    Attributes:
        start, goal: (4, 4) T_table_object.
        bow_m: height of the way above the straight line, in its middle.
        seconds: of the movement.
        pause_s: before it.
        rests: whether it ends on the table.
    """

    start: np.ndarray
    goal: np.ndarray
    bow_m: float
    seconds: float
    pause_s: float
    rests: bool

    def poses(self, time_s: np.ndarray) -> np.ndarray:
        """Return T_table_object (T, 4, 4) at times since the pause's beginning (T,)."""
        share = minimum_jerk((time_s - self.pause_s) / self.seconds)
        way = self.goal[:3, 3] - self.start[:3, 3]
        bow = 4.0 * self.bow_m * (share * (1.0 - share))[:, None] * _UP
        return pose(
            turned(self.start[:3, :3], self.goal[:3, :3], share),
            self.start[:3, 3] + share[:, None] * way + bow,
        )


def draw_moves(
    start: np.ndarray, config: MotionConfig, rng: np.random.Generator
) -> list[Move] | None:
    """Return the moves of one track from `start` (4, 4) on; None if no place was found."""
    moves: list[Move] = []
    count = int(rng.integers(config.moves[0], config.moves[1] + 1))
    put_down = rng.random() < config.put_down_share
    rests = True
    for number in range(count):
        last = number == count - 1
        rested, rests = rests, put_down if last else bool(rng.random() < config.rest_share)
        goal = _draw_goal(start, rests, config, rng)
        if goal is None:
            return None
        slides = rested and rests and rng.random() < config.slide_share
        bow_m = 0.0 if slides or not (rested and rests) else rng.uniform(*config.bow_m)
        seconds = _seconds(start, goal, bow_m, config, rng)
        moves.append(Move(start, goal, bow_m, seconds, rng.uniform(*config.pause_s), rests))
        start = goal
    return moves


def draw_place(config: MotionConfig, rng: np.random.Generator) -> np.ndarray:
    """Return a pose (4, 4) of an object that stands on the table."""
    place = np.array([rng.uniform(*config.table_x_m), rng.uniform(*config.table_y_m), 0.0])
    return pose(rotation_about(_UP, rng.uniform(-np.pi, np.pi)), place)


def _draw_goal(
    start: np.ndarray, rests: bool, config: MotionConfig, rng: np.random.Generator
) -> np.ndarray | None:
    """T_table_object (4, 4) of a place that the object is moved to; tilted only in the air."""
    yaw, tilt, side = (
        np.radians(rng.uniform(*each)) for each in (config.yaw_deg, config.tilt_deg, (0.0, 360.0))
    )
    heading = np.arctan2(start[1, 0], start[0, 0])  # of an object that was tilted before, nearly
    rotation = rotation_about(_UP, heading + yaw)
    height = 0.0
    if not rests:
        rotation = rotation_about(np.array([np.cos(side), np.sin(side), 0.0]), tilt) @ rotation
        height = rng.uniform(*config.hold_m)
    for _ in range(_TRIES):
        angle, way = rng.uniform(-np.pi, np.pi), rng.uniform(*config.move_m)
        x, y = start[:2, 3] + way * np.array([np.cos(angle), np.sin(angle)])
        (x_low, x_high), (y_low, y_high) = config.table_x_m, config.table_y_m
        if x_low <= x <= x_high and y_low <= y <= y_high:
            return pose(rotation, np.array([x, y, height]))
    return None


def _seconds(
    start: np.ndarray,
    goal: np.ndarray,
    bow_m: float,
    config: MotionConfig,
    rng: np.random.Generator,
) -> float:
    """Time of a move whose peak speeds are drawn; the bow counts as there and back."""
    way_m = float(np.hypot(np.linalg.norm(goal[:3, 3] - start[:3, 3]), 2.0 * bow_m))
    angle = angle_between(start[:3, :3], goal[:3, :3])
    return max(
        duration_s(way_m, rng.uniform(*config.carry_speed_m_s), config.least_s),
        duration_s(angle, rng.uniform(*config.turn_speed_rad_s), config.least_s),
    )
