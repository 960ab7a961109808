"""The retargeting engine on one clip: how fast, beside the physics it cannot do without.

The bare physics steps the same scenes with the targets that the engine found, for as long as each
attempt lasted: no solver, no limiter, no accounting. Both run in turn in one process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
from retarget_support.clip import clip_track

from hop_core.embodiment import JOINT_NAMES
from hop_sim.retarget.attempts import draw_attempts
from hop_sim.retarget.engine import Engine, Rollouts
from hop_sim.retarget.motion import ObjectMotion, object_motion
from hop_sim.retarget.physics import BatchPhysics
from hop_sim.retarget.settings import load_settings
from hop_sim.tracks.resample import Track20

PAPER_FRAMES = 450 * 700 * 100  # videos, attempts, frames. Source: HOP paper, section IV
CLUSTER_CORES, CLUSTER_EFFICIENCY = 64, 0.85
ACCURACY_ATTEMPTS = 100
FINER = 4
Figures = dict[str, Any]


def main() -> int:
    """Runs the benchmark; prints a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--clip", type=Path, help="recorded clip (.npz); default $HOP_BENCH_CLIP")
    parser.add_argument("--attempts", type=int, default=700)
    parser.add_argument("--frames", type=int, default=74, help="of the track, at 20 Hz")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    track = first_frames(clip_track(args.clip), args.frames)
    result = {
        "track": track.name,
        "attempts": args.attempts,
        "threads": args.threads,
        **speed(track, args.attempts, args.threads, args.repeats),
        **accuracy(track, args.threads),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
    }
    if args.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{key:34s} {value}" for key, value in result.items()))
    return 0


def first_frames(track: Track20, frames: int) -> Track20:
    """Returns the first `frames` steps of a track."""
    values = dict(vars(track))
    for name in ("time_s", "source_s", "keypoints_m", "T_table_object", "contact"):
        values[name] = values[name][:frames]
    return Track20(**values)


def speed(track: Track20, attempts: int, threads: int, repeats: int) -> Figures:
    """Returns frames per second of the engine and of its physics alone, and what they mean."""
    settings = load_settings(attempts, 0, "lm")
    engine = Engine(settings.engine, settings.eq1, settings.safety, "lm", threads)
    drawn = draw_attempts(track, range(attempts), settings.engine, engine.embodiment, 0)
    lead_in, step_s = settings.engine.start.lead_in_steps, settings.engine.physics.step_s
    motion = object_motion(track.T_table_object, drawn, lead_in, step_s)
    engine.run(track, range(8), 0)  # compiles
    whole, bare, share = [], [], []
    for _ in range(repeats):
        began = time.perf_counter()
        rollouts = engine.run(track, range(attempts), 0)
        whole.append(time.perf_counter() - began)
        physics = BatchPhysics(
            track.object_points_m, drawn, engine.embodiment, settings.engine.physics, threads
        )
        physics.reset(drawn.q)
        began = time.perf_counter()
        replay(physics, motion, rollouts, settings.engine.physics.substeps)
        bare.append(time.perf_counter() - began)
        share.append(whole[-1] / bare[-1])
    frames = int(rollouts.steps.sum())
    per_s = frames / statistics.median(whole)
    hours = PAPER_FRAMES / per_s / 3600.0
    cluster = hours * threads / (CLUSTER_CORES * CLUSTER_EFFICIENCY)
    return {
        "steps": rollouts.q.shape[1],
        "frames": frames,
        "ended_early_share": float((rollouts.reason >= 0).mean()),
        "frames_per_s": round(per_s),
        "physics_only_frames_per_s": round(frames / statistics.median(bare)),
        "overhead_ratio": statistics.median(share),
        f"paper_job_hours_{threads}_cores": hours,
        f"paper_job_hours_{CLUSTER_CORES}_cores_at_{CLUSTER_EFFICIENCY}": cluster,
    }


def replay(physics: BatchPhysics, motion: ObjectMotion, rollouts: Rollouts, substeps: int) -> None:
    """Steps the scenes of `physics` with the targets of `rollouts`, and does nothing else."""
    batch, joints = physics.batch, len(JOINT_NAMES)
    control, q, qd = batch.bind("ctrl"), batch.bind("qpos"), batch.bind("qvel")
    for k in range(rollouts.q.shape[1]):
        rows = np.flatnonzero(rollouts.steps > k)
        q[rows, joints:], qd[rows, joints:] = motion.pose[rows, k], motion.velocity[rows, k]
        control[rows] = rollouts.q_target[rows, k]
        for _ in range(substeps):
            batch.step(ids=rows)


def accuracy(track: Track20, threads: int) -> Figures:
    """Returns what a quarter of the time step changes: the same attempts, followed with both."""
    settings = load_settings(ACCURACY_ATTEMPTS, 0, "lm")
    physics = settings.engine.physics
    fine = physics.model_copy(
        update={"period_s": physics.period_s / FINER, "substeps": physics.substeps * FINER}
    )
    both = []
    for each in (physics, fine):
        config = settings.engine.model_copy(update={"physics": each})
        engine = Engine(config, settings.eq1, settings.safety, "lm", threads)
        both.append(engine.run(track, range(ACCURACY_ATTEMPTS), 0))
    ours, finer = both
    lasted = (ours.reason < 0) & (finer.reason < 0)
    contact = ours.contact
    error_m = [np.median(each.error_m[lasted][:, contact], axis=1) for each in both]
    return {
        "accuracy_attempts": int(lasted.sum()),
        "same_end_share": float((ours.reason == finer.reason).mean()),
        "error_mm": 1e3 * float(np.median(error_m[0])),
        "error_mm_quarter_dt": 1e3 * float(np.median(error_m[1])),
        "error_change_mm_p50": 1e3 * float(np.median(np.abs(error_m[0] - error_m[1]))),
        "penetration_mm": 1e3 * float(np.median(ours.penetration_m[lasted])),
        "penetration_mm_quarter_dt": 1e3 * float(np.median(finer.penetration_m[lasted])),
        "joint_change_rad_p50": float(np.median(np.abs(ours.q - finer.q)[lasted])),
        "joint_change_rad_p99": float(np.quantile(np.abs(ours.q - finer.q)[lasted], 0.99)),
    }


if __name__ == "__main__":
    raise SystemExit(main())
