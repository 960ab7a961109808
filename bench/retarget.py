"""Eq. 1 on one core: our solver, the paper's NLopt on MuJoCo, and dex-retargeting, same problems.

Hands come from a recorded clip, where there is one, and from a synthetic generator. Times are CPU
time, taken in the same run, the peers' shortly after ours. One function gives all costs.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from retarget_support.clip import CLIP_VARIABLE, clip_file, recorded
from retarget_support.dex_peer import run_dex
from retarget_support.placement import place
from retarget_support.problems import ProblemSet, cold_problems, warm_problems
from retarget_support.synthetic_hand import synthetic_hands

from hop_core.kinematics import Kinematics
from hop_core.retargeting.config import RetargetConfig, load_retarget
from hop_core.retargeting.lm_solver import LmSolver
from hop_core.retargeting.nlopt_solver import NloptSolver
from hop_core.retargeting.objective import eq1_cost, keypoint_error_m, palm_angle_rad
from hop_core.retargeting.robot_points import RobotPoints
from hop_core.retargeting.solver import Bounds, Solution

FRAMES = 74  # of a synthetic motion, as many as the clip has
LM_REPEATS, NLOPT_REPEATS = 30, 3  # a batch of ours is too short for one reading of the clock
Figures = dict[str, Any]


def main() -> int:
    """Runs the benchmark; prints a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--clip", type=Path, help=f"recorded clip (.npz); default ${CLIP_VARIABLE}")
    parser.add_argument("--dex-python", type=Path, help="interpreter that has dex-retargeting")
    parser.add_argument("--motions", type=int, default=10, help="placements, synthetic motions")
    parser.add_argument("--cold", type=int, default=300, help="cold problems of each kind")
    parser.add_argument("--lambdas", type=float, nargs="+", default=[1e-3, 1e-4])
    args = parser.parse_args()
    runs = [
        {"source": source, "lambda": value, **compare(hands, value, args.cold, args.dex_python)}
        for source, hands in hand_motions(args.clip, args.motions).items()
        for value in args.lambdas
    ]
    result = {**summary(runs), "runs": runs}
    if args.json:
        print(json.dumps(result))
        return 0
    for figures in (result, *runs):
        lines = [f"{key:28s} {value}" for key, value in figures.items() if key != "runs"]
        print("\n".join(lines), end="\n\n")
    return 0


def hand_motions(clip: Path | None, count: int) -> dict[str, list[np.ndarray]]:
    """Returns motions (T, 21, 3) in base_link [m] by their source, the clip's first."""
    path, sources = clip_file(clip), {}
    if path:
        track = recorded(path)
        sources["clip"] = place(track.keypoints_m[track.valid], count, np.random.default_rng(0))
    sources["synthetic"] = synthetic_hands(count, FRAMES, np.random.default_rng(0))
    return sources


def compare(hands: list[np.ndarray], value: float, cold: int, dex_python: Path | None) -> Figures:
    """Returns the figures of all solvers at one lambda on the problems that `hands` pose."""
    config = load_retarget().with_lambda(value)
    lm, nlopt = LmSolver(config), NloptSolver(config)
    judge = Judge(config)
    warm = warm_problems(hands, config)
    far = cold_problems(hands, cold, config, np.random.default_rng(1))
    figures: Figures = {"warm_problems": len(warm.phi), "cold_problems": len(far.phi)}
    costs = {}
    for kind, problems in (("warm", warm), ("cold", far)):
        ours, lm_us = timed(lambda p=problems: lm.solve(p.x_h, p.phi), LM_REPEATS, problems)
        theirs, nlopt_us = timed(
            lambda p=problems: nlopt.solve(p.x_h, p.phi), NLOPT_REPEATS, problems
        )
        for name, solution, us in (("lm", ours, lm_us), ("nlopt", theirs, nlopt_us)):
            costs[kind, name], seen = judge(problems, solution.a)
            ended = {
                "evaluations": float(solution.iterations.mean()),
                "failures": solution.failures(),
            }
            figures[f"{kind}_{name}"] = {"us_per_solve": us, **seen, **ended}
        share = (costs[kind, "lm"] <= 1.01 * costs[kind, "nlopt"]).mean()
        figures[f"{kind}_share_within_1_percent"] = float(share)
        below = (costs[kind, "lm"] <= costs[kind, "nlopt"]).mean()
        figures[f"{kind}_share_not_above"] = float(below)
    weights = list(config.weights)
    for name, points in (
        ("warm_dex", list(range(len(weights)))),
        ("warm_dex_full_weight", [k for k, w in enumerate(weights) if w == max(weights)]),
    ):
        figures[name] = dex_figures(dex_python, warm, lm.bounds, judge, points)
    return {**figures, **ratios(figures)}


def ratios(figures: Figures) -> Figures:
    """Returns warm times, how many times the peers' are ours, and the ratio of cold costs.

    dex-retargeting counts with the quicker of its runs: on all points, or on those of full weight.
    """
    ours, theirs = figures["warm_lm"]["us_per_solve"], figures["warm_nlopt"]["us_per_solve"]
    runs = [figures[name].get("us_per_solve") for name in ("warm_dex", "warm_dex_full_weight")]
    dex = None if None in runs else min(runs)
    return {
        "lm_us_per_solve": ours,
        "nlopt_us_per_solve": theirs,
        "dex_us_per_solve": dex,
        "ratio_nlopt": theirs / ours,
        "ratio_dex": dex / ours if dex else None,
        "cold_cost_ratio": figures["cold_lm"]["cost_mean"] / figures["cold_nlopt"]["cost_mean"],
    }


class Judge:
    """Evaluates postures, whoever found them, by MuJoCo's kinematics."""

    def __init__(self, config: RetargetConfig) -> None:
        self.config, self.points, self.kinematics = config, RobotPoints(config), Kinematics()

    def __call__(self, problems: ProblemSet, a: np.ndarray) -> tuple[np.ndarray, Figures]:
        """Returns the costs (B,) [m^2] of `a` (B, 23) [rad], their mean, and errors."""
        points = self.points.batch_positions(a)
        cost = eq1_cost(problems.x_h, points, a, problems.phi, self.config)
        error_mm = 1e3 * keypoint_error_m(problems.x_h, points, self.config)
        palm = palm_angle_rad(problems.hands, self.kinematics.site_poses(a, "palm")[:, :3, 0])
        return cost, {
            "cost_mean": float(cost.mean()),
            "keypoint_error_mm_mean": float(error_mm.mean()),
            "keypoint_error_mm_median": float(np.median(error_mm)),
            "palm_angle_deg_median": float(np.degrees(np.median(palm))),
        }


def timed(
    solve: Callable[[], Solution], repeats: int, problems: ProblemSet
) -> tuple[Solution, float]:
    """Returns a solution and the median CPU time of a solve [us]."""
    solution, times = solve(), []  # the first one warms caches up
    for _ in range(repeats):
        start = time.process_time()
        solve()
        times.append(time.process_time() - start)
    return solution, float(1e6 * np.median(times) / len(problems.phi))


def dex_figures(
    python: Path | None, warm: ProblemSet, bounds: Bounds, judge: Judge, points: list[int]
) -> Figures:
    """Returns what dex-retargeting makes of the warm problems, or the reason why nothing."""
    if python is None:
        return {"reason": "no --dex-python given"}
    run = run_dex(python, warm, judge.config, bounds, points)
    if isinstance(run, str):
        return {"reason": run}
    seen = judge(warm, run.a)[1]
    ended = {"failures": run.failures, "version": run.version}
    return {"us_per_solve": run.us_per_solve, **seen, **ended}


def summary(runs: list[Figures]) -> Figures:
    """Returns the first run's times and ratios, and the worst of all runs."""
    keys = (
        "lm_us_per_solve", "nlopt_us_per_solve", "dex_us_per_solve", "ratio_nlopt", "ratio_dex",
    )  # fmt: skip
    with_dex = [run["ratio_dex"] for run in runs if run["ratio_dex"]]
    return {
        **{key: runs[0][key] for key in keys},
        "dex_reason": runs[0]["warm_dex"].get("reason"),
        "worst_ratio_nlopt": min(run["ratio_nlopt"] for run in runs),
        "worst_ratio_dex": min(with_dex) if with_dex else None,
        "worst_warm_share_within_1_percent": min(
            run["warm_share_within_1_percent"] for run in runs
        ),
        "worst_cold_cost_ratio": max(run["cold_cost_ratio"] for run in runs),
        "sources": sorted({run["source"] for run in runs}),
    }


if __name__ == "__main__":
    raise SystemExit(main())
