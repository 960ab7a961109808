"""The recorded clip, many attempts: what is kept, how good it is, and what lambda does to it.

The table over lambda is taken in the loop: the solver starts from what physics made of its last
answer, so that lambda also decides how far the robot lags.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from retarget_support.clip import CLIP_VARIABLE, clip_file, clip_track

from hop_core.retargeting.config import RetargetConfig
from hop_sim.processes import usable_cores
from hop_sim.retarget.engine import Engine, Rollouts
from hop_sim.retarget.grasp_metrics import GraspMetrics
from hop_sim.retarget.result import kept_trajectories
from hop_sim.retarget.settings import load_settings
from hop_sim.retarget.verdict import judge
from hop_sim.statistics import rate_of
from hop_sim.tracks.resample import Track20
from hop_sim.trajectories.report.overview import PAPER_ATTEMPTS, PAPER_KEPT

LAMBDAS = (1e-5, 1e-4, 1e-3, 1e-2)
ARM_PULLS = (1.0, 10.0)
Figures = dict[str, Any]


def main() -> int:
    """Runs the benchmark; prints tables, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--clip", type=Path, help=f"recorded clip (.npz); default ${CLIP_VARIABLE}")
    parser.add_argument("--attempts", type=int, default=700)
    parser.add_argument("--sweep-attempts", type=int, default=140, help="for each lambda; 0: none")
    parser.add_argument("--threads", type=int, default=usable_cores())
    args = parser.parse_args()
    track = clip_track(args.clip)
    settings = load_settings(args.attempts, 0, "lm")
    result: Figures = {
        "track": track.name,
        "recorded": clip_file(args.clip) is not None,
        "steps": len(track.time_s),
        "time_scale": track.time_scale,
        **follow(track, settings.eq1, args.attempts, args.threads),
    }
    if args.sweep_attempts:
        result["sweep"] = [
            {
                "lambda": value,
                "arm_pull": pull,
                **follow(
                    track,
                    settings.eq1.with_lambda(value).model_copy(update={"arm_pull": pull}),
                    args.sweep_attempts,
                    args.threads,
                ),
            }
            for pull in ARM_PULLS
            for value in LAMBDAS
        ]
    if args.json:
        print(json.dumps(result))
        return 0
    for figures in (result, *result.get("sweep", [])):
        lines = [f"{key:30s} {value}" for key, value in figures.items() if key != "sweep"]
        print("\n".join(lines), end="\n\n")
    return 0


def follow(track: Track20, eq1: RetargetConfig, attempts: int, threads: int) -> Figures:
    """Returns the figures of so many attempts at `track`; those of quality are of the kept."""
    settings = load_settings(attempts, 0, "lm")
    engine = Engine(settings.engine, eq1, settings.safety, "lm", threads)
    rollouts = engine.run(track, range(attempts), 0)
    verdict = judge(rollouts, settings.engine.prune)
    step_s = settings.engine.physics.step_s
    kept = [
        each.metrics
        for each in kept_trajectories(track, rollouts, verdict, eq1, 0, step_s)
        if each.metrics.kept_contact
    ]
    rates = {name: int(getattr(verdict, name).sum()) for name in ("kept_any", "kept_contact")}
    figures: Figures = {"attempts": attempts, "paper_keep_rate": PAPER_KEPT / PAPER_ATTEMPTS}
    for name, count in rates.items():
        rate = rate_of(count, attempts)
        figures[name] = {"rate": rate.value, "low": rate.low, "high": rate.high}
    figures["rejections"] = verdict.rejections()
    figures["unsolved_share"] = float(rollouts.unsolved.sum() / rollouts.steps.sum())
    for name, field, unit in (
        ("contact_error_mm", "median_contact_error_m", 1e3),
        ("palm_angle_deg", "mean_palm_angle_rad", np.degrees(1.0)),
        ("tip_distance_error_mm", "median_tip_distance_error_m", 1e3),
        ("penetration_mm", "max_penetration_m", 1e3),
        ("jerk_rad_s3", "rms_jerk_rad_s3", 1.0),
        ("lead_rad", "mean_lead_rad", 1.0),
    ):
        figures[name] = (
            unit * float(np.median([getattr(each, field) for each in kept])) if kept else None
        )
    figures["tip_distance_error_mm_by_finger"] = by_finger(
        GraspMetrics(track, eq1, rollouts.lead_in), rollouts, verdict.kept_contact
    )
    return {**figures, "spread": spreads(rollouts, verdict.kept_contact)}


def by_finger(grasp: GraspMetrics, rollouts: Rollouts, kept: np.ndarray) -> dict[str, float]:
    """Returns medians over the kept attempts, so that no finger hides behind the others."""
    likeness = [grasp.measure(rollouts, row) for row in np.flatnonzero(kept).tolist()]
    if not likeness:
        return {}
    errors_mm = 1e3 * np.median([each.tip_distance_errors_m for each in likeness], axis=0)
    return {tip.name: float(error) for tip, error in zip(grasp.tips, errors_mm, strict=True)}


def spreads(rollouts: Rollouts, kept: np.ndarray) -> dict[str, float]:
    """Returns standard deviations over the kept attempts by those over all that were drawn."""
    drawn = rollouts.attempts
    columns = {
        "start": drawn.q,
        "yaw": drawn.yaw_rad[:, None],
        "position": drawn.T_base_table[:, :3, 3],
    }
    return {
        name: float((values[kept].std(axis=0) / values.std(axis=0)).min())
        for name, values in columns.items()
        if kept.any()
    }


if __name__ == "__main__":
    raise SystemExit(main())
