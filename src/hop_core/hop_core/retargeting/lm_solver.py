"""Eq. 1 by the compiled projected Levenberg-Marquardt search: the default solver."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import ModuleType

import numpy as np

from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_core.errors import RetargetingError
from hop_core.retargeting.chain import read_chain
from hop_core.retargeting.config import RetargetConfig
from hop_core.retargeting.solver import (
    Bounds,
    Problems,
    Solution,
    StopReason,
    check_problems,
    one_turn_bounds,
)


class LmSolver:
    """Solves batches of problems; the answers do not depend on the number of threads.

    The first instance of a process loads the compiled code; the first ever compiles it, which
    takes some seconds.
    """

    def __init__(
        self, config: RetargetConfig, bounds: Bounds | None = None, threads: int = 1
    ) -> None:
        """Read the robot's constants and load the compiled code.

        Args:
            config: correspondence, lambda and settings.
            bounds: of the joints [rad]; default: `one_turn_bounds` of the default robot.
            threads: among which a batch is divided.

        Raises:
            RetargetingError: `threads` is less than 1, or no folder for the compiled code can be
                written.
        """
        if threads < 1:
            raise RetargetingError(f"a solver needs at least 1 thread, got {threads}")
        self._search, self._layout = _load_kernel()
        embodiment, chain = load_embodiment(), read_chain(config)
        self.bounds = bounds or one_turn_bounds(embodiment)
        self.threads = threads
        self._robot = self._layout.Robot(
            fixed=chain.fixed,
            parent=chain.parent,
            point_frame=chain.point_frame,
            point_m=chain.point_m,
            weight=config.weights,
            lower=np.array(self.bounds.lower),
            upper=np.array(self.bounds.upper),
            home=np.clip(embodiment.home, self.bounds.lower, self.bounds.upper),
        )
        self._settings = self._layout.Settings(
            lam=config.lambdas, least_lam=config.lambdas.min(), **config.lm.model_dump()
        )

    def solve(self, x_h: np.ndarray, phi: np.ndarray, start: np.ndarray | None = None) -> Solution:
        """Return the minimisers of Eq. 1; see `Solver.solve`.

        Raises:
            RetargetingError: an array has another shape.
        """
        problems = check_problems(x_h, phi, start, len(self._robot.weight), self.bounds)
        size = len(problems.valid)
        a = problems.start.copy()
        cost = np.full(size, np.nan)
        iterations = np.zeros(size, dtype=np.int64)
        converged = np.zeros(size, dtype=np.bool_)
        rows = np.flatnonzero(problems.valid)
        parts = [part for part in np.array_split(rows, self.threads) if len(part)]

        def solve_part(part: np.ndarray) -> None:
            a[part], cost[part], iterations[part], converged[part] = self._solve(problems, part)

        if len(parts) <= 1:
            for part in parts:
                solve_part(part)
        else:
            with ThreadPoolExecutor(len(parts)) as pool:
                list(pool.map(solve_part, parts))
        a[~problems.valid] = np.nan
        stop = np.where(converged, StopReason.CONVERGED, StopReason.LIMIT)
        stop[~problems.valid] = StopReason.INVALID
        return Solution(a, cost, iterations, stop.astype(np.int64))

    def _solve(
        self, problems: Problems, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Solve the problems `rows`; answers, costs, evaluations and whether each converged."""
        a, cost = problems.start[rows], np.zeros(len(rows))
        iterations, converged = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
        self._search.solve_range(
            self._robot,
            self._settings,
            problems.x_h[rows],
            problems.phi[rows],
            a,
            cost,
            iterations,
            converged,
            self._layout.scratch(len(self._robot.weight)),
        )
        return a, cost, iterations, converged

    def positions(self, q: np.ndarray) -> np.ndarray:
        """Return the robot's points (B, K, 3) in base_link [m] at joint angles `q` (B, 23) [rad].

        Raises:
            RetargetingError: rows of another length.
        """
        if q.ndim != 2 or q.shape[1] != len(JOINT_NAMES):
            raise RetargetingError(
                f"joint angles must have shape (B, {len(JOINT_NAMES)}), got {q.shape}"
            )
        points = np.empty((len(q), len(self._robot.weight), 3))
        angles = np.array(q, dtype=np.float64, order="C")  # a read-only one would be compiled anew
        self._search.place_range(self._robot, angles, points, self._layout.scratch(points.shape[1]))
        return points


def _load_kernel() -> tuple[ModuleType, ModuleType]:
    """The compiled search and its arrays, imported when needed: numba takes its time."""
    try:
        from hop_core.retargeting.lm import layout, search
    except RuntimeError as error:
        raise RetargetingError(
            f"compiled code cannot be stored ({error}); set NUMBA_CACHE_DIR to a writable folder"
        ) from error
    return search, layout
