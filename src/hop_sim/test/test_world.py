"""The world moves the robot as the control box and the hand's motors do."""

from __future__ import annotations

import numpy as np
import pytest

from hop_core.embodiment import ARM, load_embodiment
from hop_core.errors import ModelError
from hop_sim.payload import Payload
from hop_sim.world import World

SET_MS = 3


@pytest.fixture(scope="module")
def model(table_scene):
    return table_scene


@pytest.fixture
def world(model):
    return World(model, load_embodiment())


def _run(world: World, seconds: float) -> None:
    for _ in range(round(seconds * 1000 / SET_MS)):
        world.step(SET_MS)


def test_braked_arm_ignores_targets_and_stays_where_it_is(world):
    before = world.arm_q
    world.set_arm_target(before + 0.5)
    _run(world, 0.6)
    assert np.abs(world.arm_q - before).max() < 0.01


def test_arm_answers_a_step_within_a_quarter_second_and_settles_on_it(world):
    world.set_arm_enabled(True)
    target = world.arm_q + 0.1
    world.set_arm_target(target)
    _run(world, 0.25)
    assert np.abs(world.arm_q - target).max() < 0.02
    _run(world, 0.5)
    assert np.abs(world.arm_q - target).max() < 0.005


def test_reference_never_exceeds_180_degrees_per_second(world):
    world.set_arm_enabled(True)
    world.set_arm_target(world.arm_q + 1.0)
    last = world.arm_reference
    for _ in range(200):
        world.step(SET_MS)
        assert np.abs(world.arm_reference - last).max() <= np.pi * SET_MS * 1e-3 + 1e-6
        last = world.arm_reference


def test_servo_follows_a_moving_target_with_a_lag_of_two_time_constants(world):
    world.set_arm_enabled(True)
    start, speed = world.arm_q, 0.5
    for k in range(500):
        world.set_arm_target(start + np.array([speed * k * SET_MS * 1e-3, 0, 0, 0, 0, 0, 0]))
        world.step(SET_MS)
    lag_s = (start[0] + speed * 499 * SET_MS * 1e-3 - world.arm_q[0]) / speed
    assert lag_s == pytest.approx(2 / 60.0, abs=0.012)


def test_declared_payload_that_is_too_light_makes_the_arm_sag(world):
    world.set_arm_enabled(True)
    _run(world, 0.5)
    settled = world.arm_q
    world.declare_payload(Payload(0.0, (0.0, 0.0, 0.0)))
    _run(world, 1.0)
    assert np.abs(world.arm_q - settled).max() > 5e-4
    assert world.payload.mass_kg == pytest.approx(0.955, abs=0.15)  # vendor URDF of the hand


def test_hand_torques_are_clipped_to_the_devices_caps_and_zero_with_the_servo_off(world):
    hand = load_embodiment().hand
    world.set_hand_torque_units(np.full(16, 1.0))
    world.step(SET_MS)
    assert np.all(world.data.ctrl[7:] == 0.0)
    world.set_hand_servo(True)
    world.set_hand_torque_units(np.full(16, 1.0))
    world.step(SET_MS)
    np.testing.assert_allclose(world.data.ctrl[7:23], np.array(hand.cap) * hand.torque_per_unit_nm)


def test_same_commands_give_the_same_states_to_the_bit(model):
    runs = []
    for _ in range(2):
        world = World(model, load_embodiment())
        world.set_arm_enabled(True)
        world.set_hand_servo(True)
        rng = np.random.default_rng(1)
        for _ in range(60):
            world.set_arm_target(load_embodiment().home[ARM] + rng.uniform(-0.05, 0.05, 7))
            world.set_hand_torque_units(rng.uniform(-0.2, 0.2, 16))
            world.step(SET_MS)
        runs.append(world.data.qpos.copy())
    assert np.array_equal(runs[0], runs[1])


def test_reset_returns_to_home_at_rest_and_lets_the_task_place_its_objects(world):
    world.set_arm_enabled(True)
    world.set_arm_target(world.arm_q + 0.3)
    _run(world, 0.3)

    def arrange(model, data):
        data.joint(model.body("cube").jntadr[0]).qpos[:3] = [0.4, -0.1, 0.03]

    world.reset(arrange=arrange)
    np.testing.assert_array_equal(world.q, load_embodiment().home)
    assert not world.qd.any()
    np.testing.assert_allclose(world.data.body("cube").xpos, [0.4, -0.1, 0.03])


def test_model_with_another_time_step_is_refused(model):
    model.opt.timestep = 0.002
    try:
        with pytest.raises(ModelError, match="time step"):
            World(model, load_embodiment())
    finally:
        model.opt.timestep = 0.001
