"""Eq. 1 by NLopt's low-storage BFGS on MuJoCo's kinematics: the paper's solver, our reference.

Source: HOP paper, section IV, Retargeting.
"""

from __future__ import annotations

import nlopt
import numpy as np

from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_core.retargeting.config import RetargetConfig
from hop_core.retargeting.robot_points import RobotPoints
from hop_core.retargeting.solver import (
    Bounds,
    Problems,
    Solution,
    StopReason,
    check_problems,
    one_turn_bounds,
)

_CONVERGED = (nlopt.SUCCESS, nlopt.FTOL_REACHED, nlopt.XTOL_REACHED, nlopt.STOPVAL_REACHED)


class NloptSolver:
    """Solves one problem after the other with LD_LBFGS; one instance per thread."""

    def __init__(self, config: RetargetConfig, bounds: Bounds | None = None) -> None:
        """Set the optimiser up.

        Args:
            config: correspondence, lambda and settings.
            bounds: of the joints [rad]; default: `one_turn_bounds` of the default robot.
        """
        self.bounds = bounds or one_turn_bounds(load_embodiment())
        self._points = RobotPoints(config)
        self._weights = config.weights[:, None]
        self._lambda = config.lambdas
        self._goal = np.zeros((len(config.points), 3))
        self._phi = np.zeros(len(JOINT_NAMES))
        self._best: tuple[float, np.ndarray] = (np.inf, self._phi)
        self._evaluations = 0
        self._optimiser = nlopt.opt(nlopt.LD_LBFGS, len(JOINT_NAMES))
        self._optimiser.set_lower_bounds(self.bounds.lower)
        self._optimiser.set_upper_bounds(self.bounds.upper)
        self._optimiser.set_min_objective(self.objective)
        self._optimiser.set_ftol_rel(config.nlopt.ftol_rel)
        self._optimiser.set_maxeval(config.nlopt.max_evaluations)
        # Without it NLopt reserves tens of thousands of vectors for 23 unknowns, at each start.
        self._optimiser.set_vector_storage(config.nlopt.vector_storage)

    def solve(self, x_h: np.ndarray, phi: np.ndarray, start: np.ndarray | None = None) -> Solution:
        """Return the minimisers of Eq. 1; see `Solver.solve`.

        Raises:
            RetargetingError: an array has another shape.
        """
        problems = check_problems(x_h, phi, start, len(self._goal), self.bounds)
        size = len(problems.valid)
        a = np.full((size, len(JOINT_NAMES)), np.nan)
        cost = np.full(size, np.nan)
        iterations = np.zeros(size, dtype=np.int64)
        stop = np.full(size, StopReason.INVALID, dtype=np.int64)
        for i in np.flatnonzero(problems.valid):
            stop[i] = self._search(problems, int(i))
            cost[i], a[i] = self._best
            iterations[i] = self._evaluations
        return Solution(a, cost, iterations, stop)

    def _search(self, problems: Problems, i: int) -> StopReason:
        """Minimise problem `i`; leaves the best posture and the count of evaluations behind."""
        self._goal, self._phi = problems.x_h[i], problems.phi[i]
        self._best, self._evaluations = (np.inf, problems.start[i]), 0
        try:
            self._optimiser.optimize(problems.start[i])
        except (nlopt.RoundoffLimited, RuntimeError, ValueError, MemoryError):
            return StopReason.FAILED
        if self._optimiser.last_optimize_result() in _CONVERGED:
            return StopReason.CONVERGED
        return StopReason.LIMIT

    def objective(self, a: np.ndarray, gradient: np.ndarray) -> float:
        """Return Eq. 1 at `a` (23,) [rad]; fills `gradient` (23,) [m^2/rad] unless it is empty."""
        points = self._points.positions(a)
        miss, lag = self._goal - points, a - self._phi
        pull = self._weights * miss
        cost = 0.5 * float(np.vdot(pull, miss)) + float(self._lambda @ lag**2)
        if gradient.size:
            jacobian = self._points.jacobian(points).reshape(-1, len(a))
            gradient[:] = 2.0 * self._lambda * lag - pull.ravel() @ jacobian
        self._evaluations += 1
        if cost < self._best[0]:
            self._best = cost, a.copy()
        return cost
