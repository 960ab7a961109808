"""The search itself, and batches of it."""

from __future__ import annotations

import math

import numpy as np

from hop_core.retargeting.lm.forward import evaluate, place
from hop_core.retargeting.lm.jit import entry, inlined, part
from hop_core.retargeting.lm.layout import JOINTS, Robot, Scratch, Settings
from hop_core.retargeting.lm.linearise import linearise
from hop_core.retargeting.lm.step import hold_at_bounds, newton_step


@part
def search(
    robot: Robot,
    settings: Settings,
    x_h: np.ndarray,
    phi: np.ndarray,
    q: np.ndarray,
    cost: float,
    damping: float,
    room: Scratch,
) -> tuple[float, int, bool]:
    """Lower the cost from `q`, in place, of which `room` holds the evaluation.

    A small decrease ends the search only when the damping is at most twice the least lambda, the
    least curvature: then the step has taken at least 3/4 of what the quadratic model offers.

    Returns:
        Cost, number of steps tried, and whether the search ended before the limit.
    """
    moved = True
    for iteration in range(settings.max_iterations):
        if moved:
            linearise(robot, settings.lam, phi, q, room)
            hold_at_bounds(robot, q, room)
        reached = np.inf
        if newton_step(room, damping):
            for j in range(JOINTS):
                room.trial[j] = min(max(q[j] + room.step[j], robot.lower[j]), robot.upper[j])
            reached = evaluate(robot, settings.lam, x_h, phi, room.trial, room)
        moved = reached < cost
        if moved:
            q[:] = room.trial
            small = cost - reached <= settings.ftol_rel * cost
            cost = reached
            if small and damping <= 2.0 * settings.least_lam:
                return cost, iteration + 1, True
            damping *= settings.damping_down
        else:
            damping *= settings.damping_up
            if damping > settings.damping_limit:  # not even a minute step downhill is lower
                return cost, iteration + 1, True
    return cost, settings.max_iterations, False


@inlined
def is_far(robot: Robot, limit_m: float, room: Scratch) -> bool:
    """Return whether the points of the last `evaluate` miss by more than `limit_m` on average."""
    far, weight = 0.0, 0.0
    for k in range(len(robot.weight)):
        square = room.miss[k, 0] ** 2 + room.miss[k, 1] ** 2 + room.miss[k, 2] ** 2
        far += robot.weight[k] * math.sqrt(square)
        weight += robot.weight[k]
    return far > limit_m * weight


@entry
def solve_range(
    robot: Robot,
    settings: Settings,
    x_h: np.ndarray,
    phi: np.ndarray,
    a: np.ndarray,
    cost: np.ndarray,
    iterations: np.ndarray,
    converged: np.ndarray,
    room: Scratch,
) -> None:
    """Solve B problems, each from the posture in its row of `a`, which becomes its answer.

    `iterations` counts evaluations, those of the starts too.

    From a far start a second search begins halfway to home, and the lower answer is taken: one
    search alone stays far from its goal about once in a hundred.
    """
    lam = settings.lam
    for b in range(len(a)):
        value = evaluate(robot, lam, x_h[b], phi[b], a[b], room)
        cold = is_far(robot, settings.cold_distance_m, room)
        damping = settings.damping_cold if cold else settings.damping_warm
        if cold:
            room.other[:] = 0.5 * (a[b] + robot.home)
        value, tried, ended = search(robot, settings, x_h[b], phi[b], a[b], value, damping, room)
        if cold:
            other = evaluate(robot, lam, x_h[b], phi[b], room.other, room)
            other, more, other_ended = search(
                robot, settings, x_h[b], phi[b], room.other, other, damping, room
            )
            tried += more + 1
            if other < value:
                a[b], value, ended = room.other, other, other_ended
        cost[b], iterations[b], converged[b] = value, tried + 1, ended


@entry
def place_range(robot: Robot, q: np.ndarray, points: np.ndarray, room: Scratch) -> None:
    """Fill `points` (B, K, 3) [m] at joint angles `q` (B, 23) [rad]."""
    for b in range(len(q)):
        place(robot, q[b], room)
        points[b] = room.points
