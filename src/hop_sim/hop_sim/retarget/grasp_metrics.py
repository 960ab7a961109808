"""How alike the robot's grasp is to the human's: palm angle, and tips' distances to the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.retargeting.config import RetargetConfig
from hop_core.retargeting.lm_solver import LmSolver
from hop_core.retargeting.objective import palm_angle_rad
from hop_sim.retarget.engine import PALM, Rollouts
from hop_sim.tracks.contact import distances_m
from hop_sim.tracks.keypoints import TIPS
from hop_sim.tracks.resample import Track20
from hop_sim.tracks.rigid import inverse, transform

_MOST_FRAMES = 32  # contact frames looked at in one attempt, evenly spread
_UNIT_M = 0.1  # length of the robot's palm normal


@dataclass(frozen=True)
class GraspLikeness:
    """Figures of one attempt over its contact frames; NaN where the track has none.

    Attributes:
        palm_angle_rad: mean angle of the palms' normals.
        tip_distance_error_m: distance of the robot's tip from the object less the human's,
            absolute, median over fingers and frames.
        tip_distance_errors_m: (F,) the same of each finger, order of `GraspMetrics.tips`.
    """

    palm_angle_rad: float
    tip_distance_error_m: float
    tip_distance_errors_m: np.ndarray


class GraspMetrics:
    """Measures attempts at one track.

    Attributes:
        tips: the F points of Eq. 1 that meet fingertips.
    """

    def __init__(self, track: Track20, eq1: RetargetConfig, lead_in: int) -> None:
        """Measure the human's side."""
        frames = np.flatnonzero(track.contact)
        count = min(len(frames), _MOST_FRAMES)
        self._frames = frames[np.linspace(0, len(frames) - 1, count).astype(int)]
        self._steps = self._frames + lead_in
        self._track = track
        self.tips = tuple(p for p in eq1.points if p.keypoint in TIPS)
        self._T_table_object = track.T_table_object[self._frames]
        self._keypoints_m = track.keypoints_m[self._frames]
        self._human_m = self._distances(self._keypoints_m[:, [p.keypoint for p in self.tips]])
        normal = PALM.model_copy(update={"name": "normal", "offset_m": (_UNIT_M, 0.0, 0.0)})
        self._points = LmSolver(eq1.model_copy(update={"points": (PALM, normal, *self.tips)}))

    def measure(self, rollouts: Rollouts, row: int) -> GraspLikeness:
        """Return the figures of attempt `row` of `rollouts`."""
        if not len(self._frames):
            return GraspLikeness(np.nan, np.nan, np.full(len(self.tips), np.nan))
        T_table_base = inverse(rollouts.attempts.T_base_table[row])
        points = self._points.positions(rollouts.q[row, self._steps])
        points = transform(np.broadcast_to(T_table_base, (len(points), 4, 4)), points)
        angle = palm_angle_rad(self._keypoints_m, (points[:, 1] - points[:, 0]) / _UNIT_M)
        apart_m = np.abs(self._distances(points[:, 2:]) - self._human_m)
        return GraspLikeness(
            float(angle.mean()), float(np.median(apart_m)), np.median(apart_m, axis=0)
        )

    def _distances(self, tips_m: np.ndarray) -> np.ndarray:
        """Distances (C, F) of tips (C, F, 3), in the table frame, from the object's surface."""
        return distances_m(
            tips_m, self._T_table_object, self._track.object_points_m, range(tips_m.shape[1])
        )
