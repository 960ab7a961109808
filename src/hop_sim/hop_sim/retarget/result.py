"""From rollouts to what the trajectory store keeps of them."""

from __future__ import annotations

import numpy as np

from hop_core.retargeting.config import RetargetConfig
from hop_sim.motion_record import rms_jerk
from hop_sim.retarget.attempts import PARKED_M, Attempts
from hop_sim.retarget.engine import Rollouts
from hop_sim.retarget.grasp_metrics import GraspMetrics
from hop_sim.retarget.verdict import Verdict
from hop_sim.tracks.resample import Track20
from hop_sim.trajectories.trajectory import OBSTACLES, Frames, Scene, Trajectory, TrajectoryMetrics


def kept_trajectories(
    track: Track20,
    rollouts: Rollouts,
    verdict: Verdict,
    eq1: RetargetConfig,
    seed: int,
    step_s: float,
) -> list[Trajectory]:
    """Return the attempts that one of the readings keeps, by rising number.

    Args:
        track: which they follow.
        rollouts: the attempts.
        verdict: on them.
        eq1: the points that were followed.
        seed: what the attempts were drawn from.
        step_s: length of a step.
    """
    grasp = GraspMetrics(track, eq1, rollouts.lead_in)
    return [
        Trajectory(
            attempt=int(rollouts.attempts.number[row]),
            seed=seed,
            object_name=track.object_name,
            frames=_frames(rollouts, row),
            metrics=_metrics(rollouts, verdict, row, grasp, step_s),
            scene=_scene(rollouts.attempts, row),
        )
        for row in np.flatnonzero(verdict.kept).tolist()
    ]


def _frames(rollouts: Rollouts, row: int) -> Frames:
    return Frames(
        q=rollouts.q[row].astype(np.float32),
        q_raw=rollouts.q_raw[row].astype(np.float32),
        q_target=rollouts.q_target[row].astype(np.float32),
        object_pose=rollouts.object_pose[row].astype(np.float32),
        keypoint_error_m=rollouts.error_m[row].astype(np.float32),
        contact=rollouts.contact,
    )


def _metrics(
    rollouts: Rollouts, verdict: Verdict, row: int, grasp: GraspMetrics, step_s: float
) -> TrajectoryMetrics:
    contact, likeness = rollouts.contact, grasp.measure(rollouts, row)
    error_m = rollouts.error_m[row, contact]
    before = np.concatenate([rollouts.attempts.q[row][None], rollouts.q[row, :-1]])
    return TrajectoryMetrics(
        kept_any=bool(verdict.kept_any[row]),
        kept_contact=bool(verdict.kept_contact[row]),
        min_error_m=float(verdict.min_error_m[row]),
        median_contact_error_m=float(np.median(error_m)) if contact.any() else np.nan,
        share_below_3cm_on_contact=float(verdict.share_below[row]) if contact.any() else np.nan,
        contact_share=float(contact.mean()),
        limited_share=float(rollouts.limited[row] / rollouts.steps[row]),
        max_penetration_m=float(rollouts.penetration_m[row]),
        hand_saturation_share=float(rollouts.saturation_share[row]),
        mean_palm_angle_rad=likeness.palm_angle_rad,
        median_tip_distance_error_m=likeness.tip_distance_error_m,
        rms_jerk_rad_s3=rms_jerk(rollouts.q_target[row], step_s),
        mean_lead_rad=float(np.linalg.norm(rollouts.q_raw[row] - before, axis=1).mean()),
    )


def _scene(attempts: Attempts, row: int) -> Scene:
    yaw_rad = attempts.yaw_rad[row]
    boxes = np.full((OBSTACLES, 7), np.nan)
    standing = np.flatnonzero((attempts.obstacle_m[row] != PARKED_M).any(axis=1))
    for slot, i in enumerate(standing):
        boxes[slot] = [*attempts.obstacle_m[row, i], *attempts.obstacle_half_m[i], yaw_rad]
    return Scene(
        table_xyz_yaw=np.append(attempts.T_base_table[row, :3, 3], yaw_rad),
        friction=float(attempts.friction[row]),
        gain_scale=float(attempts.gain[row]),
        obstacles=boxes,
    )
