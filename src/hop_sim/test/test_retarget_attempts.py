"""What differs between the attempts at a track, and how the object moves in each of them."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop_core.embodiment import ARM, HAND, load_embodiment
from hop_sim.retarget.attempts import PARKED_M, Attempts, draw_attempts
from hop_sim.retarget.config import EngineConfig, load_engine
from hop_sim.retarget.motion import carried, object_motion
from hop_sim.tracks.resample import Track20
from hop_sim.tracks.rigid import inverse, pose, rotation_about, rotations, transform

ROBOT = load_embodiment()
CONFIG = load_engine()
MANY = 300
WRIST, MIDDLE_KNUCKLE = 0, 9
TABLE_HALF_M = 0.5
ARM_REACH_M = 0.9  # of the palm; sum of the arm's links and the mount is less


def draw(track: Track20, numbers: range, seed: int = 0, config: EngineConfig = CONFIG) -> Attempts:
    return draw_attempts(track, numbers, config, ROBOT, seed)


@pytest.fixture(scope="module")
def many(track20: Track20) -> Attempts:
    return draw(track20, range(MANY))


def test_an_attempt_depends_on_seed_track_and_its_number_alone(track20) -> None:
    whole, head, tail = draw(track20, range(20)), draw(track20, range(10)), draw(
        track20, range(10, 20)
    )  # fmt: skip
    assert len(whole) == 20
    for name, values in vars(whole).items():
        if name == "obstacle_half_m":  # the same in all attempts, since they share a scene
            np.testing.assert_array_equal(getattr(head, name), values)
            np.testing.assert_array_equal(getattr(tail, name), values)
        else:
            parts = np.concatenate([getattr(head, name), getattr(tail, name)])
            np.testing.assert_array_equal(parts, values)
    for other in (draw(track20, range(20), 1), draw(replace(track20, name="lift"), range(20))):
        for name in ("q", "T_base_table", "friction", "gain"):
            mine, its = getattr(whole, name).reshape(20, -1), getattr(other, name).reshape(20, -1)
            assert (mine != its).any(axis=1).all(), name
    assert len(np.unique(whole.friction)) == 20


def test_starts_are_about_home_and_some_are_farther_away(many) -> None:
    start, away = CONFIG.start, np.abs(many.q - ROBOT.home)
    assert away[:, HAND].max() <= start.noise_hand_rad
    assert away[:, ARM].max() <= start.wide_arm_rad
    assert (many.q >= ROBOT.lower).all()
    assert (many.q <= ROBOT.upper).all()
    wide = (away[:, ARM] > start.noise_arm_rad).any(axis=1)
    assert wide.mean() == pytest.approx(start.wide_share, abs=0.08)  # 3 sigma of 300 draws
    assert away[wide][:, ARM].max() > 0.95 * start.wide_arm_rad
    assert away[~wide][:, ARM].max() > 0.95 * start.noise_arm_rad


def test_the_middle_of_the_track_is_65_cm_before_the_robot(track20, many) -> None:
    place = CONFIG.placement
    assert place.distance_m == 0.65
    both = np.concatenate([track20.keypoints_m.mean(axis=1), track20.T_table_object[:, :3, 3]])
    middle = 0.5 * (both.min(axis=0) + both.max(axis=0)) * [1.0, 1.0, 0.0]
    off = transform(many.T_base_table, middle[None])[:, 0] - [place.distance_m, 0.0, 0.0]
    half_widths = np.array([place.x_m, place.y_m, place.height_m])
    assert (np.abs(off) <= half_widths + 1e-12).all()
    assert (np.abs(off).max(axis=0) > 0.95 * half_widths).all()


def test_the_forearm_points_away_from_the_robot_give_or_take(track20, many) -> None:
    forearm = (track20.keypoints_m[:, MIDDLE_KNUCKLE] - track20.keypoints_m[:, WRIST]).mean(axis=0)
    x, y, _ = (many.T_base_table[:, :3, :3] @ forearm).T
    heading = np.arctan2(y, x)
    assert np.abs(heading).max() <= CONFIG.placement.yaw_rad + 1e-12
    assert np.ptp(heading) > 1.9 * CONFIG.placement.yaw_rad


def test_hand_and_object_move_rigidly_with_their_table(track20, engine) -> None:
    """In the frame of its own table each attempt has the track's own goals and object."""
    attempts = draw(track20, range(4))
    rollouts = engine.run(track20, range(4), 0)
    table = inverse(attempts.T_base_table)
    assert np.abs(table[:, 2, :2]).max() < 1e-12  # upright
    eq1, lead_in = engine.eq1, rollouts.lead_in
    for row in range(4):
        goals = transform(table[row], rollouts.goals_m[row, lead_in:])
        np.testing.assert_allclose(goals, track20.keypoints_m[:, eq1.keypoints], atol=1e-12)
        poses = rollouts.object_pose[row, lead_in:]
        T = table[row] @ pose(rotations(poses[:, 3:]), poses[:, :3])
        np.testing.assert_allclose(T, track20.T_table_object, atol=1e-12)


def test_obstacles_stand_on_the_table_and_keep_clear_at_all_times(track20, many) -> None:
    parked = (many.obstacle_m == PARKED_M).all(axis=2)
    assert np.linalg.norm(PARKED_M) > ARM_REACH_M + np.sqrt(3.0) * CONFIG.obstacles.size_m[1]
    assert 0.3 < (~parked).mean() < 0.7
    points = transform(track20.T_table_object, track20.object_points_m)
    taken = np.concatenate([track20.keypoints_m, points], axis=1).reshape(-1, 3)
    half_m = many.obstacle_half_m
    low, high = CONFIG.obstacles.size_m
    assert low <= half_m.min() <= half_m.max() <= high
    nearest = np.inf
    for row, i in np.argwhere(~parked):
        centre = transform(inverse(many.T_base_table[row]), many.obstacle_m[row, i][None])[0]
        assert centre[2] == pytest.approx(half_m[i, 2], abs=1e-12)
        assert (np.abs(centre[:2]) + half_m[i, :2] <= TABLE_HALF_M).all()
        apart = np.maximum(np.abs(taken - centre) - half_m[i], 0.0)
        nearest = min(nearest, np.linalg.norm(apart, axis=1).min())
    assert CONFIG.obstacles.clearance_m <= nearest < CONFIG.obstacles.clearance_m + 0.03


def test_an_obstacle_without_a_free_place_is_left_out(track20) -> None:
    cramped = CONFIG.obstacles.model_copy(update={"clearance_m": 0.8})
    config = CONFIG.model_copy(update={"obstacles": cramped})
    assert (draw(track20, range(20), config=config).obstacle_m == PARKED_M).all()


def test_friction_and_gains_vary_as_configured(many) -> None:
    for values, (low, high) in (
        (many.friction, CONFIG.physics_noise.friction),
        (many.gain, CONFIG.physics_noise.gain),
    ):
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high


def placed(yaw_rad: list[float], origin_m: tuple[float, float, float]) -> Attempts:
    """Attempts with given tables."""
    count = len(yaw_rad)
    turns = rotation_about(np.array([0.0, 0.0, 1.0]), np.array(yaw_rad))
    nothing = np.zeros((count, 0, 3))
    return Attempts(
        np.arange(count), np.tile(ROBOT.home, (count, 1)),
        pose(turns, np.array(origin_m)), nothing, nothing[0], np.ones(count), np.ones(count),
    )  # fmt: skip


@given(
    turns=st.lists(
        st.tuples(*[st.floats(-1.0, 1.0)] * 3, st.floats(-3.0, 3.0)), min_size=2, max_size=12
    ),
    lead_in=st.integers(0, 3),
)
def test_the_object_meets_its_track_at_the_end_of_every_step(turns, lead_in) -> None:
    """Speeds held over a step, as MuJoCo integrates them, lead from pose to pose."""
    rng = np.random.default_rng(0)
    T = np.tile(np.eye(4), (len(turns), 1, 1))
    for k, (x, y, z, angle) in enumerate(turns):
        axis = np.array([x, y, z]) if np.linalg.norm([x, y, z]) > 1e-3 else np.array([0, 0, 1.0])
        before = T[k - 1, :3, :3] if k else np.eye(3)
        T[k, :3, :3] = before @ rotation_about(axis / np.linalg.norm(axis), angle)
        T[k, :3, 3] = rng.uniform(-0.2, 0.2, 3)
    attempts = placed([0.0, 2.5, -3.0], (0.6, 0.1, 0.02))
    motion = object_motion(T, attempts, lead_in, 0.05)
    steps = len(T) + lead_in
    assert motion.pose.shape == (3, steps + 1, 7)
    assert motion.velocity.shape == (3, steps, 6)
    assert np.abs(motion.velocity[:, : lead_in + 1]).max(initial=0.0) == 0.0  # it rests
    for row in range(3):
        for k in range(steps):
            position = motion.pose[row, k, :3] + 0.05 * motion.velocity[row, k, :3]
            quaternion = motion.pose[row, k, 3:].copy()
            mujoco.mju_quatIntegrate(quaternion, motion.velocity[row, k, 3:], 0.05)
            np.testing.assert_allclose(position, motion.pose[row, k + 1, :3], atol=1e-9)
            met = carried(motion.pose[:, k], motion.velocity[:, k], 0.05)[row]
            np.testing.assert_allclose(met, [*position, *quaternion], atol=1e-9)
            met = abs(quaternion @ motion.pose[row, k + 1, 3:])
            assert 2.0 * np.arccos(min(met, 1.0)) < 1e-7  # arccos has half of the digits
        want = attempts.T_base_table[row] @ T
        poses = motion.pose[row, lead_in + 1 :]
        T_met = pose(rotations(poses[:, 3:]), poses[:, :3])
        np.testing.assert_allclose(T_met, want, atol=1e-9)


def test_quaternions_never_change_sides() -> None:
    """An object that turns three times about goes round without a jump of its quaternion."""
    angle = np.linspace(0.0, 6.0 * np.pi, 200)
    axis = np.array([1.0, 2.0, 2.0]) / 3.0
    T = pose(rotation_about(axis, angle), np.zeros((200, 3)))
    q = object_motion(T, placed([0.0, 1.0, 3.1], (0.6, 0.0, 0.0)), 5, 0.05).pose[..., 3:]
    np.testing.assert_allclose(np.linalg.norm(q, axis=-1), 1.0, atol=1e-12)
    assert (np.einsum("bni,bni->bn", q[:, 1:], q[:, :-1]) > 0.99).all()
