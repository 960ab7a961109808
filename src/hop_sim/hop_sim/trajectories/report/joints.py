"""Where the joints go: in the store, and over it in the demonstrations of tasks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_sim.trajectories.report.demonstrations import Demonstrations
from hop_sim.trajectories.report.frame_pass import FramePass
from hop_sim.trajectories.report.histogram import Histogram

PERCENTILES = (1, 25, 50, 75, 99)
_SHOWN_BINS = 100


@dataclass(frozen=True)
class Postures:
    """How the 23 joints are distributed over one set of postures.

    Attributes:
        postures: how many.
        percentiles: (5, 23) at PERCENTILES [rad].
        counts: (23, 100) over the bins of `JointCoverage.edges`.
        beyond: (23,) postures outside the bins.
    """

    postures: int
    percentiles: np.ndarray
    counts: np.ndarray
    beyond: np.ndarray


@dataclass(frozen=True)
class JointCoverage:
    """The range of the store's joints beside that of the robot, the policy and demonstrations.

    Attributes:
        names: order of the 23 joints.
        device, scale: (23, 2) limits of the device, and what -1 and +1 of a policy mean [rad].
        home: (23,) where a deployment starts [rad].
        edges: (23, 101) ends of the bins [rad].
        store: of the frames of the selection.
        demonstrations: of the ticks of demonstrations, if there are any.
        demonstrated_within: (23,) share of the ticks between the 1st and 99th percentile of the
            store; NaN without demonstrations.
    """

    names: tuple[str, ...]
    device: np.ndarray
    scale: np.ndarray
    home: np.ndarray
    edges: np.ndarray
    store: Postures
    demonstrations: Postures | None
    demonstrated_within: np.ndarray


def joint_coverage(frames: FramePass, demonstrations: Demonstrations | None) -> JointCoverage:
    """Return how the joints of `frames` are distributed, and those of the demonstrations."""
    robot, store = load_embodiment(), _postures(frames.q)
    within = np.full(len(JOINT_NAMES), np.nan)
    if demonstrations is not None:
        within = demonstrations.q.share_between(store.percentiles[0], store.percentiles[-1])
    return JointCoverage(
        names=JOINT_NAMES,
        device=np.stack([robot.lower, robot.upper], axis=1),
        scale=np.stack([robot.policy_lower, robot.policy_upper], axis=1),
        home=robot.home,
        edges=np.linspace(frames.q.low, frames.q.high, _SHOWN_BINS + 1, axis=1),
        store=store,
        demonstrations=None if demonstrations is None else _postures(demonstrations.q),
        demonstrated_within=within,
    )


def _postures(q: Histogram) -> Postures:
    return Postures(
        postures=int(q.known[0]),
        percentiles=np.stack([q.percentile(p) for p in PERCENTILES]),
        counts=q.coarse(_SHOWN_BINS),
        beyond=q.below + q.above,
    )
