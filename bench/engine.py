"""The retargeting engine on one clip: how fast, beside the physics it cannot do without.

The bare physics steps the same scenes with what the engine gave them, as long as each attempt
lasted: no draws, no solver, no limiter, no accounting, no figures. Both run in turn in one process,
on as many threads, by the hundred attempts.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from retarget_support.clip import CLIP_VARIABLE, clip_track

from hop_sim.processes import usable_cores
from hop_sim.retarget.attempts import draw_attempts
from hop_sim.retarget.engine import Engine
from hop_sim.retarget.physics import BatchPhysics
from hop_sim.retarget.runner import LocalRunner, divided
from hop_sim.retarget.settings import load_settings
from hop_sim.tracks.resample import Track20

PAPER_TRACK_FRAMES = 100
PAPER_FRAMES = 450 * 700 * PAPER_TRACK_FRAMES  # videos, attempts. Source: HOP paper, section IV
CLUSTER_CORES, CLUSTER_EFFICIENCY = 64, 0.85
ACCURACY_ATTEMPTS = 100
FINER = 4
Figures = dict[str, Any]


def main() -> int:
    """Runs the benchmark; prints a table, or one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.add_argument("--clip", type=Path, help=f"recorded clip (.npz); default ${CLIP_VARIABLE}")
    parser.add_argument("--attempts", type=int, default=700)
    parser.add_argument("--frames", type=int, default=74, help="of the track, at 20 Hz")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores())
    args = parser.parse_args()
    track = first_frames(clip_track(args.clip), args.frames)
    result = {
        "track": track.name,
        "attempts": args.attempts,
        "threads": args.threads,
        **speed(track, args.attempts, args.threads, args.repeats),
        **accuracy(track, args.threads),
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
    """Returns frames per second of retargeting and of its physics alone, and what they mean."""
    settings = load_settings(attempts, 0, "lm")
    with LocalRunner(settings, threads) as runner:
        (_,) = runner.run([track])  # what is measured so far is its memory alone; it warms up, too
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    engine = Engine(settings.engine, settings.eq1, settings.safety)
    recordings = [record(engine, track, numbers) for numbers in divided(attempts)]
    whole, bare, share = [], [], []
    with LocalRunner(settings, threads) as runner, ThreadPoolExecutor(threads) as pool:
        for _ in range(repeats):
            began = time.perf_counter()
            (answer,) = runner.run([track])
            whole.append(time.perf_counter() - began)
            for recording in recordings:
                recording.physics.reset(recording.q)
            began = time.perf_counter()
            list(pool.map(replay, recordings))
            bare.append(time.perf_counter() - began)
            share.append(whole[-1] / bare[-1])
    frames = sum(part.steps for part in answer.parts)
    per_s = frames / statistics.median(whole)
    # What the paper calls a frame is one of the track: each trajectory has its lead-in beside them.
    steps_a_frame = 1.0 + settings.engine.start.lead_in_steps / PAPER_TRACK_FRAMES
    hours = PAPER_FRAMES * steps_a_frame / per_s / 3600.0
    cluster = hours * threads / (CLUSTER_CORES * CLUSTER_EFFICIENCY)
    kept = sum(len(part.trajectories) for part in answer.parts)
    return {
        "frames": frames,
        "kept_share": kept / attempts,
        "frames_per_s": round(per_s),
        "physics_only_frames_per_s": round(frames / statistics.median(bare)),
        "overhead_ratio": statistics.median(share),
        f"paper_job_hours_{threads}_cores": hours,
        f"paper_job_hours_{CLUSTER_CORES}_cores_at_{CLUSTER_EFFICIENCY}": cluster,
        "rss_mb": rss_mb,
    }


class RecordingPhysics(BatchPhysics):
    """Remembers what each substep was given."""

    def __init__(self, *arguments: Any) -> None:
        """Begins with nothing."""
        super().__init__(*arguments)
        self.substeps: list[tuple[np.ndarray, ...]] = []

    def substep(self, *given: np.ndarray) -> None:
        """See `BatchPhysics.substep`."""
        self.substeps.append(given)
        super().substep(*given)


@dataclass(frozen=True)
class Recording:
    """Scenes, where their robots start (B, 23), and what each substep was given."""

    physics: BatchPhysics
    q: np.ndarray
    substeps: list[tuple[np.ndarray, ...]]


def record(engine: Engine, track: Track20, numbers: range) -> Recording:
    """Returns the physics of the attempts `numbers`, ready to be played again."""
    drawn = draw_attempts(track, numbers, engine.config, engine.embodiment, 0)
    built = (track.object_points_m, drawn, engine.embodiment, engine.config.physics, 1)
    recorder = RecordingPhysics(*built)
    engine.follow(track, drawn, recorder)
    return Recording(BatchPhysics(*built), drawn.q, recorder.substeps)


def replay(recording: Recording) -> None:
    """Steps the scenes with what they were given, and does nothing else."""
    for given in recording.substeps:
        recording.physics.substep(*given)


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
