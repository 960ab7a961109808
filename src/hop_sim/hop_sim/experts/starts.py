"""Where demonstrations begin: near home, near the object, or after a miss, as the task says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hop_core.embodiment import ARM, HAND, load_embodiment
from hop_core.kinematics import Kinematics
from hop_sim.experts.grasp import Grasp
from hop_sim.experts.registry import expert_class
from hop_sim.tasks.start import TaskStart, draw_noise, draw_places
from hop_sim.tasks.task import Task

NEAR_BEFORE_M = (0.09, 0.18)  # distances before the grasp at which a demonstration may begin,
NEAR_BESIDE_M = (0.06, 0.03)  # and half-widths beside it, across the fingers and along them
_PLASTIC = 1.2207440846  # root of x^4 = x + 1: its powers spread points evenly in three dimensions
_FAR_ITERATIONS = 100  # of the solver, from home to anywhere above the table


def demonstration_start(task: Task, rng: np.random.Generator, number: int) -> TaskStart:
    """Draw the start state of demonstration `number`.

    Objects take turns, and demonstrations of successive numbers are spread evenly over places and
    yaws: a few drawn at random leave gaps. The robot starts in the shares of the task's
    `demo_starts`. A share begins close to the object and beside the way to it, and shows how to
    correct; another begins with an empty fist above the table, where a missed grasp ends, and shows
    how to try again; the others begin about home. Some begin in touch with the object and topple
    it: those are failures, and no demonstrations.

    Raises:
        ConfigError: the task has no scripted expert.
    """
    expert, demo = expert_class(task.config.task), task.config.demo_starts
    start = task.furnish(_spread(task, number), rng)
    noise = draw_noise(1, demo.noise_arm_rad, demo.noise_hand_rad, rng)[0]
    kind = rng.random()
    grasp = expert.grasps[task.choices[start.object_index[0]]]
    turn_rad = grasp.turn_with(start.yaw_rad[0])
    if kind < demo.near:
        q = near_grasp(grasp, start.position_m[0], turn_rad, rng)
        q[HAND] += noise[HAND]
    elif kind >= 1.0 - demo.after_miss:
        foot_m = draw_places(task.config.place, task.table, 1, rng)[0]
        q = missed_grasp(grasp, foot_m, turn_rad, expert.lift_m * rng.uniform(0.8, 1.0))
        q[HAND] += noise[HAND]
    else:
        q = load_embodiment().home + noise
    return replace(start, q=load_embodiment().clip(q)[None])


def _spread(task: Task, number: int) -> TaskStart:
    """Return object, place and yaw of demonstration `number`, the robot at home."""
    place, choices = task.config.place, len(task.choices)
    share = np.modf(0.5 + (number // choices) * _PLASTIC ** -np.arange(1.0, 4.0))[0]
    x, y, yaw = 2.0 * share - 1.0  # of the half-widths
    middle_x, middle_y = place.center_m
    spread_x, spread_y = place.spread_m
    foot_m = [middle_x + x * spread_x, middle_y + y * spread_y, task.table.center_m[2]]
    return TaskStart(
        object_index=np.array([number % choices]),
        position_m=np.array([foot_m]),
        yaw_rad=np.array([yaw * place.yaw_rad]),
        q=load_embodiment().home[None],
    )


def near_grasp(
    grasp: Grasp, foot_m: np.ndarray, turn_rad: float, rng: np.random.Generator
) -> np.ndarray:
    """Return joint angles (23,) [rad] of an open hand before an object, and beside the way to it.

    `foot_m` (3,) [m] is where the object stands, `turn_rad` how the grasp turns with it.
    """
    before_m = rng.uniform(NEAR_BEFORE_M[0], NEAR_BEFORE_M[1])
    offset = np.array([-before_m, *rng.uniform(-1.0, 1.0, 2) * NEAR_BESIDE_M])
    point_m = grasp.grip(foot_m, turn_rad) + grasp.rotation(turn_rad) @ offset
    return _posture(grasp, point_m, turn_rad, grasp.open * rng.uniform(grasp.shaped, 1.0))


def missed_grasp(grasp: Grasp, foot_m: np.ndarray, turn_rad: float, raised_m: float) -> np.ndarray:
    """Return joint angles (23,) [rad] after grasp and lift by `raised_m` where no object stood.

    `foot_m` (3,) [m] is where the object was thought to stand.
    """
    point_m = grasp.grip(foot_m, turn_rad) + np.array([0.0, 0.0, raised_m])
    return _posture(grasp, point_m, turn_rad, grasp.fist)


def _posture(grasp: Grasp, point_m: np.ndarray, turn_rad: float, hand: np.ndarray) -> np.ndarray:
    q = load_embodiment().home.copy()
    rotation = grasp.rotation(turn_rad)
    q[ARM] = grasp.reach(point_m, rotation, q, Kinematics(), iterations=_FAR_ITERATIONS)
    q[HAND] = hand
    return q
