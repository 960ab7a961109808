"""What the store gets of an attempt: figures by hand beside those of the record."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hop_core.kinematics import Kinematics
from hop_sim.retarget.attempts import PARKED_M
from hop_sim.retarget.engine import Engine, Rollouts
from hop_sim.retarget.grasp_metrics import GraspMetrics
from hop_sim.retarget.result import kept_trajectories
from hop_sim.retarget.verdict import judge
from hop_sim.tracks.resample import Track20
from hop_sim.tracks.rigid import inverse, transform
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.poses import posed
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import OBSTACLES, Trajectory
from hop_sim.trajectories.writer import TrajectoryWriter

SEED = 3
STEP_S = 0.05
ATTEMPTS = 6
TIPS = {"thumb_tip": 4, "index_tip": 8, "middle_tip": 12, "ring_tip": 16}
PAD = np.array([0.0085, 0.0, 0.0085, 1.0])  # of a fingertip, in the frame of its site


@pytest.fixture(scope="module")
def rollouts(engine: Engine, track20: Track20) -> Rollouts:
    return engine.run(track20, range(ATTEMPTS), SEED)


@pytest.fixture(scope="module")
def kept(engine: Engine, track20: Track20, rollouts: Rollouts) -> list[Trajectory]:
    verdict = judge(rollouts, engine.config.prune)
    return kept_trajectories(track20, rollouts, verdict, engine.eq1, SEED, STEP_S)


def test_metrics_are_those_computed_by_hand(kept, rollouts, track20, engine) -> None:
    assert len(kept) >= 4
    for trajectory in kept:
        row, metrics = trajectory.attempt, trajectory.metrics
        lead_in, error_m = rollouts.lead_in, rollouts.error_m[row]
        on_contact = error_m[lead_in:][track20.contact]
        share = np.mean(on_contact < 0.03)
        assert metrics.min_error_m == error_m[lead_in:].min()
        assert metrics.median_contact_error_m == np.median(on_contact)
        assert metrics.share_below_3cm_on_contact == share
        assert (metrics.kept_any, metrics.kept_contact) == (
            error_m[lead_in:].min() < 0.03,
            share >= 0.8,
        )
        steps = lead_in + len(track20.time_s)
        assert metrics.contact_share == pytest.approx(track20.contact.sum() / steps)
        assert metrics.limited_share == rollouts.limited[row] / steps
        assert metrics.max_penetration_m == rollouts.penetration_m[row]
        assert 0.0 <= metrics.hand_saturation_share <= engine.config.prune.saturation_share
        target = rollouts.q_target[row]
        jerk = (target[3:] - 3 * target[2:-1] + 3 * target[1:-2] - target[:-3]) / STEP_S**3
        assert metrics.rms_jerk_rad_s3 == pytest.approx(np.sqrt(np.mean(jerk**2)), rel=1e-9)
        before = np.concatenate([rollouts.attempts.q[row][None], rollouts.q[row, :-1]])
        lead = np.sqrt(((rollouts.q_raw[row] - before) ** 2).sum(axis=1))
        assert metrics.mean_lead_rad == pytest.approx(lead.mean(), rel=1e-9)


def test_likeness_of_the_grasp_is_that_computed_by_hand(kept, rollouts, track20, engine) -> None:
    """Angle between the palms' normals; |robot's tip to object - human's tip to object|."""
    kinematics, trajectory = Kinematics(), kept[0]
    row, angles, apart_m = trajectory.attempt, [], []
    T_table_base = inverse(rollouts.attempts.T_base_table[row])
    for frame in np.flatnonzero(track20.contact):
        q, human = rollouts.q[row, rollouts.lead_in + frame], track20.keypoints_m[frame]
        normal = np.cross(human[5] - human[17], human[9] - human[0])
        robots = (T_table_base @ kinematics.site_pose(q, "palm"))[:3, 0]
        angles.append(np.arccos(normal @ robots / np.linalg.norm(normal)))
        surface = transform(track20.T_table_object[frame], track20.object_points_m)
        for site, keypoint in TIPS.items():
            tip = (T_table_base @ kinematics.site_pose(q, site) @ PAD)[:3]
            distance, humans = (
                np.linalg.norm(surface - point, axis=1).min() for point in (tip, human[keypoint])
            )
            apart_m.append(abs(distance - humans))
    metrics = trajectory.metrics
    assert metrics.mean_palm_angle_rad == pytest.approx(np.mean(angles), abs=1e-6)
    assert metrics.median_tip_distance_error_m == pytest.approx(np.median(apart_m), abs=1e-6)
    grasp = GraspMetrics(track20, engine.eq1, rollouts.lead_in)
    fingers = dict(zip(TIPS, np.median(np.reshape(apart_m, (-1, len(TIPS))), axis=0), strict=True))
    measured = grasp.measure(rollouts, row).tip_distance_errors_m
    assert [tip.frame for tip in grasp.tips] == list(fingers)
    np.testing.assert_allclose(measured, list(fingers.values()), atol=1e-6)


def test_without_contact_its_figures_are_not_known(rollouts, track20, engine) -> None:
    alone = replace(track20, contact=np.zeros_like(track20.contact))
    untouched = replace(rollouts, contact=np.zeros_like(rollouts.contact))
    verdict = judge(untouched, engine.config.prune)
    kept = kept_trajectories(alone, untouched, verdict, engine.eq1, SEED, STEP_S)
    for trajectory in kept:
        metrics = trajectory.metrics
        assert metrics.contact_share == 0.0
        assert np.isfinite(metrics.min_error_m)
        for name in (
            "median_contact_error_m",
            "share_below_3cm_on_contact",
            "mean_palm_angle_rad",
            "median_tip_distance_error_m",
        ):
            assert np.isnan(getattr(metrics, name)), name


def test_the_scene_maps_the_tracks_table_to_where_the_object_is(kept, rollouts, track20) -> None:
    for trajectory in kept:
        x, y, z, yaw = trajectory.scene.table_xyz_yaw
        c, s = np.cos(yaw), np.sin(yaw)
        T = np.array([[c, -s, 0, x], [s, c, 0, y], [0, 0, 1, z], [0, 0, 0, 1]])
        points = track20.object_points_m[::50]
        wanted = transform(T @ track20.T_table_object, points)
        got = posed(points, trajectory.frames.object_pose[rollouts.lead_in :])
        np.testing.assert_allclose(got, wanted, atol=1e-6)
        assert trajectory.scene.friction == rollouts.attempts.friction[trajectory.attempt]
        assert trajectory.scene.gain_scale == rollouts.attempts.gain[trajectory.attempt]


def test_the_scene_has_the_obstacles_that_stand(kept, rollouts) -> None:
    attempts, seen = rollouts.attempts, 0
    for trajectory in kept:
        boxes = trajectory.scene.obstacles
        standing = [
            (centre, half)
            for centre, half in zip(
                attempts.obstacle_m[trajectory.attempt], attempts.obstacle_half_m, strict=True
            )
            if (centre != PARKED_M).any()
        ]
        assert boxes.shape == (OBSTACLES, 7)
        assert np.isfinite(boxes).all(axis=1).sum() == len(standing)
        for box, (centre, half) in zip(boxes, standing, strict=False):
            np.testing.assert_allclose(box[:6], [*centre, *half])
            assert box[6] == trajectory.scene.table_xyz_yaw[3]
            seen += 1
    assert seen


def test_the_label_of_an_observation_is_the_target_solved_from_it(
    kept, rollouts, track20, tmp_path
) -> None:
    """SCIENCE 1: through the store, o[k-1] is answered by a[k], never by a[k-1]."""
    points = track20.object_points_m.astype(np.float32)
    result = TrackResult(
        TrackInfo(name="reach", source="test", synthetic=True, group="test"),
        len(kept),
        {},
        [Trajectory(number, *list(vars(each).values())[1:]) for number, each in enumerate(kept)],
        {"box": ObjectModel(points[:100], points)},
    )
    with TrajectoryWriter.create(tmp_path / "store", make_header({"test": "0"})) as writer:
        writer.append_track(result)
        store = writer.store()
    pairs = store.pairs()
    q, target = store.read("frames/q")[pairs.observation], store.read("frames/q_target")
    posture = np.concatenate([rollouts.q[each.attempt, :-1] for each in kept])
    label = np.concatenate([rollouts.q_target[each.attempt, 1:] for each in kept])
    np.testing.assert_array_equal(q, posture.astype(np.float32))
    np.testing.assert_array_equal(target[pairs.label], label.astype(np.float32))
