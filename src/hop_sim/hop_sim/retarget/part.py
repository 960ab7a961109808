"""Some of the attempts at one track, from drawing them to what is kept: the unit of work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hop_sim.retarget.engine import Engine
from hop_sim.retarget.result import kept_trajectories
from hop_sim.retarget.settings import RetargetSettings
from hop_sim.retarget.verdict import judge
from hop_sim.tracks.resample import Track20
from hop_sim.tracks.track import Track
from hop_sim.trajectories.layout import CLOUD_POINTS
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Trajectory

TRACK_DIGEST = "track_digest"
"""Key of a track's provenance: what tells it from another one of the same name."""
_CLOUD_SEED = 0  # every object has one canonical cloud. Source: HOP release, seed 0


@dataclass(frozen=True)
class Part:
    """What came of some attempts.

    Attributes:
        trajectories: the kept ones.
        rejections: how many were not kept, by reason.
        steps, unsolved: steps that were simulated, and those whose solution missed its tolerance.
    """

    trajectories: list[Trajectory]
    rejections: dict[str, int]
    steps: int
    unsolved: int


class Worker:
    """Does parts, one after another, with one engine."""

    def __init__(self, settings: RetargetSettings, threads: int) -> None:
        """Build the engine.

        Raises:
            RetargetingError: see `LmSolver`.
        """
        self._settings = settings
        self._eq1 = settings.eq1.model_copy(update={"scale": 1.0})  # tracks come scaled
        self._engine = Engine(settings.engine, self._eq1, settings.safety, settings.solver, threads)

    def work(self, track: Track20, numbers: range) -> Part:
        """Return what comes of the attempts `numbers` at `track`, which is `scaled` already.

        Raises:
            TrackError: its object cannot be simulated.
        """
        settings = self._settings
        rollouts = self._engine.run(track, numbers, settings.seed)
        verdict = judge(rollouts, settings.engine.prune)
        kept = kept_trajectories(
            track, rollouts, verdict, self._eq1, settings.seed, settings.engine.physics.step_s
        )
        return Part(
            trajectories=kept,
            rejections=verdict.rejections(),
            steps=int(rollouts.steps.sum()),
            unsolved=int(rollouts.unsolved.sum()),
        )


def gather(
    track: Track,
    track20: Track20,
    parts: Sequence[Part],
    settings: RetargetSettings,
    digest: str,
) -> TrackResult:
    """Return all parts of a track as what goes into the store; `digest` is the track's own."""
    rejections: Counter[str] = Counter()
    for part in parts:
        rejections.update(part.rejections)
    subject = track.meta.subject or track.name
    return TrackResult(
        track=TrackInfo(
            name=track.name,
            source=track.meta.source,
            synthetic=track.meta.synthetic,
            group=f"{track.meta.source}/{subject}",
            provenance={
                TRACK_DIGEST: digest,
                "frames": len(track20.time_s),
                "lead_in_steps": settings.engine.start.lead_in_steps,
                "time_scale": track20.time_scale,
                "simulated_steps": sum(part.steps for part in parts),
                "unsolved_steps": sum(part.unsolved for part in parts),
            },
        ),
        attempts=settings.engine.attempts,
        rejections=dict(rejections),
        trajectories=[each for part in parts for each in part.trajectories],
        objects={track.object_name: _model(track.object_points_m)},
    )


def _model(points_m: np.ndarray) -> ObjectModel:
    """The object's points (P, 3), and the 100 of them that a policy sees."""
    rng = np.random.default_rng(_CLOUD_SEED)
    chosen = rng.choice(len(points_m), CLOUD_POINTS, replace=len(points_m) < CLOUD_POINTS)
    surface = points_m.astype(np.float32)
    return ObjectModel(cloud=surface[chosen], surface=surface)
