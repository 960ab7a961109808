"""The solvers of Eq. 1 by name; each is imported, with its library, when it is asked for."""

from __future__ import annotations

from typing import Literal

from hop_core.retargeting.config import RetargetConfig
from hop_core.retargeting.solver import Bounds, Solver

SolverName = Literal["lm", "nlopt"]


def create_solver(
    config: RetargetConfig,
    name: SolverName = "lm",
    bounds: Bounds | None = None,
    threads: int = 1,
) -> Solver:
    """Return a solver of Eq. 1.

    Args:
        config: correspondence, lambda and settings.
        name: "lm", compiled and quick, or "nlopt", the paper's.
        bounds: of the joints [rad]; default: `one_turn_bounds` of the default robot.
        threads: among which "lm" divides a batch; "nlopt" has one.

    Raises:
        RetargetingError: see `LmSolver`.
    """
    if name == "lm":
        from hop_core.retargeting.lm_solver import LmSolver

        return LmSolver(config, bounds, threads)
    from hop_core.retargeting.nlopt_solver import NloptSolver

    return NloptSolver(config, bounds)
