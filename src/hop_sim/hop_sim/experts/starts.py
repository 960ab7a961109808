"""Where demonstrations begin: they show the way from everywhere."""

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
_STEPS = 1.2207440846 ** -np.arange(
    1.0, 4.0
)  # of evenly spread points in 3-D; the root of x^4 = x + 1
_FAR_ITERATIONS = 100  # of the solver, from home to anywhere above the table


def numbered_start(task: Task, rng: np.random.Generator, number: int) -> TaskStart:
    """Draw the start state of demonstration `number`, as `demonstration_start` does.

    Objects take turns, and stand where demonstrations of successive numbers are spread evenly over
    places and yaws, as a person would spread them: a few drawn at random leave gaps.
    """
    place, choices = task.config.place, len(task.choices)
    to_side = 2.0 * np.modf(0.5 + (number // choices) * _STEPS)[0] - 1.0  # x, y and yaw, -1 to 1
    position_m = [*(place.center_m + to_side[:2] * place.spread_m), task.table.center_m[2]]
    even = TaskStart(
        object_index=np.array([number % choices]),
        position_m=np.array([position_m]),
        yaw_rad=np.array([to_side[2] * place.yaw_rad]),
        q=np.empty((1, 23)),
    )
    return _with_posture(task, task.furnish(even, rng), rng)


def demonstration_start(task: Task, rng: np.random.Generator, batch: int = 1) -> TaskStart:
    """Draw `batch` start states, in the shares of the task's `demo_starts`.

    A share begins close to the object and beside the way to it, and shows how to correct; another
    begins with an empty fist above the table, where a missed grasp ends, and shows how to try
    again; the others begin farther from home than evaluation does. Some begin in touch with the
    object and topple it: those are failures, and no demonstrations.

    Raises:
        ConfigError: the task has no scripted expert.
    """
    return _with_posture(task, task.sample(rng, batch), rng)


def _with_posture(task: Task, start: TaskStart, rng: np.random.Generator) -> TaskStart:
    expert, batch = expert_class(task.config.task), len(start.object_index)
    demo = task.config.demo_starts
    embodiment = load_embodiment()
    noise = draw_noise(batch, demo.noise_arm_rad, demo.noise_hand_rad, rng)
    q = embodiment.home + noise
    kind = rng.random(batch)
    is_near, is_miss = kind < demo.near, kind >= 1.0 - demo.after_miss
    grasps = [expert.grasps[task.choices[index]] for index in start.object_index]
    turns_rad = [grasp.turn_with(yaw) for grasp, yaw in zip(grasps, start.yaw_rad, strict=True)]
    for i in np.flatnonzero(is_near):
        q[i] = near_grasp(grasps[i], start.position_m[i], turns_rad[i], rng)
    elsewhere_m = draw_places(task.config.place, task.table, int(is_miss.sum()), rng)
    for i, foot_m in zip(np.flatnonzero(is_miss), elsewhere_m, strict=True):
        raised_m = expert.lift_m * rng.uniform(0.8, 1.0)
        q[i] = missed_grasp(grasps[i], foot_m, turns_rad[i], raised_m)
    placed = is_near | is_miss
    q[placed, HAND] += noise[placed, HAND]
    return replace(start, q=embodiment.clip(q))


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
