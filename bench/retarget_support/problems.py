"""Problems of Eq. 1 that all solvers get: warm ones along hand motions, and cold ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import load_embodiment
from hop_core.retargeting.config import RetargetConfig
from hop_core.retargeting.lm_solver import LmSolver
from hop_core.retargeting.nlopt_solver import NloptSolver
from hop_core.retargeting.target_points import target_points

COLD_DISTANCE_M = 0.2  # of the robot's palm from the hand at the start


@dataclass(frozen=True)
class ProblemSet:
    """Hands (B, 21, 3) and goals (B, K, 3) in base_link [m], present postures (B, 23) [rad]."""

    hands: np.ndarray
    x_h: np.ndarray
    phi: np.ndarray


def warm_problems(hands: list[np.ndarray], config: RetargetConfig) -> ProblemSet:
    """Returns the frames of each motion but its first, from the solution of the frame before.

    Those solutions are NLopt's. The first frame is solved from home by LmSolver and is not among
    the problems.
    """
    nlopt, lm, home = NloptSolver(config), LmSolver(config), load_embodiment().home
    postures = []
    for hand in hands:
        x_h = target_points(hand, config)
        phi = lm.solve(x_h[:1], home[None]).a
        for goal in x_h[1:]:
            postures.append(phi[0])
            phi = nlopt.solve(goal[None], phi).a
    frames = np.concatenate([hand[1:] for hand in hands])
    return ProblemSet(frames, target_points(frames, config), np.array(postures))


def cold_problems(
    hands: list[np.ndarray], count: int, config: RetargetConfig, rng: np.random.Generator
) -> ProblemSet:
    """Returns random frames from random postures whose palm is far from the hand."""
    solver = LmSolver(config)
    frames = np.concatenate(hands)
    goals = target_points(frames, config)
    palm = [point.name for point in config.points].index("palm")
    chosen: list[int] = []
    postures: list[np.ndarray] = []
    while len(chosen) < count:
        i = int(rng.integers(len(frames)))
        phi = rng.uniform(solver.bounds.lower, solver.bounds.upper)
        if np.linalg.norm(solver.positions(phi[None])[0, palm] - goals[i, palm]) > COLD_DISTANCE_M:
            chosen.append(i)
            postures.append(phi)
    return ProblemSet(frames[chosen], goals[chosen], np.array(postures))
