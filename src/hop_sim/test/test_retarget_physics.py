"""The physics under the engine: the object moves as its track says, the robot as its devices do."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from hop_core.embodiment import ARM, HAND, JOINT_NAMES
from hop_core.errors import TrackError
from hop_sim.retarget.attempts import PARKED_M, Attempts, draw_attempts
from hop_sim.retarget.engine import Engine
from hop_sim.retarget.physics import BatchPhysics, StepResult
from hop_sim.retarget.scene import build_track_scene
from hop_sim.tracks.resample import Track20

JOINTS = len(JOINT_NAMES)
STEP_S = 0.05
AWAY = np.array([5.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])  # of the object


@pytest.fixture
def attempts(engine: Engine, track20: Track20) -> Attempts:
    return draw_attempts(track20, range(4), engine.config, engine.embodiment, 3)


@pytest.fixture
def physics(engine: Engine, track20: Track20, attempts: Attempts) -> BatchPhysics:
    return physics_of(engine, track20, attempts)


@pytest.fixture(scope="module")
def scene(track20: Track20, engine: Engine) -> mujoco.MjModel:
    half_m, period_s = np.full((2, 3), 0.05), engine.config.physics.period_s
    return build_track_scene(track20.object_points_m, half_m, engine.embodiment, period_s)


def physics_of(engine: Engine, track: Track20, attempts: Attempts) -> BatchPhysics:
    config = engine.config.physics
    return BatchPhysics(track.object_points_m, attempts, engine.embodiment, config, threads=1)


class Watched:
    """Physics beside which somebody notes where the object is after each step."""

    def __init__(self, physics: BatchPhysics) -> None:
        self.physics = physics
        self.pose: list[np.ndarray] = []

    def reset(self, q: np.ndarray) -> None:
        self.physics.reset(q)

    def step(self, *arguments: np.ndarray) -> StepResult:
        result = self.physics.step(*arguments)
        self.pose.append(self.physics.batch.bind("qpos")[:, JOINTS:].copy())
        return result


def test_the_object_is_where_its_track_says_whatever_pushes_it(
    engine, track20, attempts, physics
) -> None:
    watched = Watched(physics)
    rollouts = engine.follow(track20, attempts, watched)
    assert (rollouts.penetration_m > 0.0).all()  # each hand did push
    assert (rollouts.reason < 0).all()
    seen, wanted = np.swapaxes(np.array(watched.pose), 0, 1), rollouts.object_pose
    assert np.linalg.norm(seen[..., :3] - wanted[..., :3], axis=2).max() < 0.001
    aligned = np.abs(np.einsum("bni,bni->bn", seen[..., 3:], wanted[..., 3:])).clip(0.0, 1.0)
    assert np.rad2deg(2.0 * np.arccos(aligned)).max() < 1.0


def test_an_object_that_nothing_touches_meets_every_pose_of_its_track(
    engine, track20, attempts
) -> None:
    far = attempts.T_base_table.copy()
    far[:, 0, 3] += 3.0
    away = replace(attempts, T_base_table=far)
    watched = Watched(physics_of(engine, track20, away))
    watched.reset(attempts.q)
    poses = np.tile(AWAY, (4, 1))
    turn = np.tile([0.1, 0.2, -0.1, 1.0, -2.0, 0.5], (4, 1))
    watched.step(np.arange(4), attempts.q, poses, turn)
    met = poses[0].copy()
    met[:3] += STEP_S * turn[0, :3]
    mujoco.mju_quatIntegrate(met[3:], turn[0, 3:], STEP_S)
    np.testing.assert_allclose(watched.pose[0], np.tile(met, (4, 1)), atol=1e-7)


def test_no_help_from_the_simulator(scene) -> None:
    """SCIENCE 15: no weld, no mocap, no adhesion; friction at most 1."""
    assert (scene.neq, scene.nmocap, scene.nu) == (0, 0, JOINTS)
    assert (scene.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT).all()
    assert scene.geom_friction[:, 0].max() <= 1.0


def test_friction_is_that_of_the_attempt_everywhere(attempts, physics) -> None:
    friction = physics.batch.expand("geom_friction")[:, :, 0]
    assert (friction == attempts.friction[:, None]).all()
    assert friction.max() <= 1.0


def test_the_motors_are_capped_as_the_embodiment_says(engine, scene, attempts, physics) -> None:
    hand, arm = engine.embodiment.hand, engine.embodiment.arm
    cap_nm = np.asarray(hand.cap) * hand.torque_per_unit_nm
    assert (scene.actuator_forcelimited == 1).all()
    np.testing.assert_allclose(scene.actuator_forcerange[HAND], np.stack([-cap_nm, cap_nm], axis=1))
    np.testing.assert_allclose(scene.actuator_forcerange[ARM, 1], arm.torque_limit)
    physics.reset(attempts.q)
    far = attempts.q + np.concatenate([np.zeros(7), np.full(16, 50.0)])
    result = physics.step(np.arange(4), far, np.tile(AWAY, (4, 1)), np.zeros((4, 6)))
    force_nm = np.abs(physics.batch.bind("actuator_force")[:, HAND])
    assert (force_nm <= cap_nm + 1e-12).all()
    assert (force_nm > 0.99 * cap_nm).all()
    assert (result.saturated > 0.9).all()


def test_the_hands_servos_have_the_gains_of_its_pd(engine, scene) -> None:
    hand = engine.embodiment.hand
    kp, kd = (np.asarray(each) * hand.torque_per_unit_nm for each in (hand.kp, hand.kd))
    np.testing.assert_allclose(scene.actuator_gainprm[HAND, 0], kp)
    np.testing.assert_allclose(scene.actuator_biasprm[HAND, :3].T, [np.zeros(16), -kp, -kd])


def test_the_arm_follows_a_slow_ramp_without_a_steady_lag(engine, track20, attempts) -> None:
    """Behind a ramp of 0.2 rad/s a plain servo lags by kd / kp times that: 0.02 rad."""
    alone = replace(
        attempts,
        gain=np.ones(4),
        obstacle_m=np.broadcast_to(PARKED_M, attempts.obstacle_m.shape),
    )
    physics = physics_of(engine, track20, alone)
    target = np.tile(engine.embodiment.home, (4, 1))
    physics.reset(target)
    for _ in range(24):
        target[:, ARM] -= 0.2 * STEP_S
        result = physics.step(np.arange(4), target, np.tile(AWAY, (4, 1)), np.zeros((4, 6)))
    assert not result.arm_contact.any()
    # What is left is friction, and the fingers' weight, for which nothing compensates.
    assert np.abs(result.q - target)[:, ARM].max() < 0.005


def test_attempts_that_are_not_named_stay_as_they_are(attempts, physics) -> None:
    physics.reset(attempts.q)
    rows = np.array([0, 2])
    nothing = np.zeros((2, 6))
    result = physics.step(rows, attempts.q[rows] + 0.05, np.tile(AWAY, (2, 1)), nothing)
    q = physics.batch.bind("qpos")[:, :JOINTS]
    np.testing.assert_array_equal(q[[1, 3]], attempts.q[[1, 3]])
    np.testing.assert_array_equal(q[rows], result.q)
    assert (np.abs(result.q - attempts.q[rows]).max(axis=1) > 0.01).all()


def test_a_simulation_that_becomes_unstable_has_no_posture(attempts, physics) -> None:
    """MuJoCo starts it anew by itself: the posture that it goes on from is not the robot's."""
    physics.reset(attempts.q)
    rows, poses, nothing = np.arange(4), np.tile(AWAY, (4, 1)), np.zeros((4, 6))
    assert np.isfinite(physics.step(rows, attempts.q, poses, nothing).q).all()
    physics.batch.bind("qvel")[2, 10] = 1e12
    q = physics.step(rows, attempts.q, poses, nothing).q
    np.testing.assert_array_equal(np.isnan(q).all(axis=1), [False, False, True, False])
    assert np.isfinite(np.delete(q, 2, axis=0)).all()
    physics.reset(attempts.q)
    assert np.isfinite(physics.step(rows, attempts.q, poses, nothing).q).all()


def test_points_without_volume_are_refused(engine) -> None:
    flat = np.random.default_rng(0).uniform(-0.1, 0.1, (50, 3)) * [1.0, 1.0, 0.0]
    sentence = "^object_points_m: no solid can be made of the points: .* coplanar [^\n]*hull$"
    with pytest.raises(TrackError, match=sentence):
        build_track_scene(flat, np.zeros((0, 3)), engine.embodiment, 0.01)


def test_joints_end_where_the_robots_do_though_the_object_presses(
    engine, track20, attempts, physics
) -> None:
    rollouts = engine.follow(track20, attempts, physics)
    assert (rollouts.penetration_m > 0.0).all()  # each hand did push
    lower, upper = engine.embodiment.lower, engine.embodiment.upper
    beyond = np.maximum(lower - rollouts.q, rollouts.q - upper).max(axis=2)
    assert (beyond > 0.02).mean() < 0.01
    assert beyond.max() < 0.06
