"""Stores of smooth random motions of all joints: made, not simulated.

The posture lags behind its target, and the object moves too.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from hop_core.embodiment import load_embodiment
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.layout import CLOUD_POINTS
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics
from hop_sim.trajectories.writer import TrajectoryWriter


def fill(path: Path, tracks: int, kept: int, frames: int) -> float:
    """Write a store; return the median time of adding a track [s]."""
    rng = np.random.default_rng(0)
    points = rng.normal(0.0, 0.04, (2000, 3)).astype(np.float32)
    objects = {"object": ObjectModel(points[:CLOUD_POINTS], points)}
    times = []
    with TrajectoryWriter.create(path, make_header({"bench": "0"})) as writer:
        for number in range(tracks):
            info = TrackInfo(
                name=f"track_{number}", source="bench", synthetic=True, group=f"hand_{number}"
            )
            made = [trajectory(rng, attempt, frames) for attempt in range(kept)]
            result = TrackResult(info, 700, {"keypoints too far": 700 - kept}, made, objects)
            start = time.perf_counter()
            writer.append_track(result)
            times.append(time.perf_counter() - start)
    return float(np.median(times))


def trajectory(rng: np.random.Generator, attempt: int, frames: int) -> Trajectory:
    """Return one smooth motion."""
    phase = np.linspace(0.0, np.pi, frames)[:, None]
    raw = rng.normal(0.0, 0.3, 23) + sum(
        rng.normal(0.0, 0.3 / n, 23) * np.sin(n * phase + rng.uniform(0, 6.3, 23))
        for n in (1, 2, 4)
    )
    raw = load_embodiment().clip(raw)
    q = raw.copy()
    for k in range(1, frames):
        q[k] = q[k - 1] + 0.6 * (raw[k] - q[k - 1]) + rng.normal(0.0, 2e-4, 23)
    pose = np.concatenate(
        [0.5 + 0.1 * np.sin(phase + rng.uniform(0, 6, 3)), np.ones_like(phase)], 1
    )
    turn = 0.2 * np.sin(phase * rng.uniform(0.5, 1.5, 3))
    pose = np.concatenate([pose, turn], axis=1)
    pose[:, 3:] /= np.linalg.norm(pose[:, 3:], axis=1, keepdims=True)
    error_m = np.abs(rng.normal(0.02, 0.005, frames))
    contact = np.arange(frames) > frames // 3
    values = Frames(q, raw, raw, pose, error_m, contact)
    metrics = TrajectoryMetrics.only(kept_any=True, kept_contact=True)
    return Trajectory(attempt, attempt, "object", values, metrics, Scene.unknown())
