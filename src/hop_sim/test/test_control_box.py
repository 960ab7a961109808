"""The control box keeps the vendor's rules of modes, states and errors."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hop_core.embodiment import load_embodiment
from hop_sim.box_commands import execute
from hop_sim.control_box import ControlBox
from hop_sim.world import World
from hop_sim.xarm_codes import State
from hop_sim.xarm_protocol import Func, Status, pack_floats

SET_S = 0.003


@pytest.fixture
def box(table_scene):
    embodiment = load_embodiment()
    return ControlBox(World(table_scene, embodiment), embodiment)


def _run(box: ControlBox, seconds: float) -> None:
    for _ in range(round(seconds / SET_S)):
        box.step(SET_S)
        box.world.step(3)


def _enter(box: ControlBox, mode: int) -> None:
    execute(box, Func.MOTION_EN, bytes([8, 1]))
    execute(box, Func.SET_MODE, bytes([mode, 0]))
    execute(box, Func.SET_STATE, bytes([0]))
    assert (box.mode, box.state) == (mode, State.STANDBY)


def _servo(box: ControlBox, q) -> int:
    return execute(box, Func.MOVE_SERVOJ, pack_floats([*q, 0, 0, 0]))[0]


def test_powers_up_stopped_in_mode_0_with_closed_brakes_and_not_ready(box):
    assert (box.mode, box.state, box.enabled) == (0, State.STOPPED, False)
    assert execute(box, Func.GET_STATE, b"") == (Status.NOT_READY, bytes([4]))


def test_mode_takes_effect_at_state_0_only(box):
    execute(box, Func.MOTION_EN, bytes([8, 1]))
    execute(box, Func.SET_MODE, bytes([1, 0]))
    assert (box.mode, box.state) == (0, State.CONFIG_CHANGED)
    execute(box, Func.SET_STATE, bytes([0]))
    assert (box.mode, box.state) == (1, State.STANDBY)


def test_a_change_of_configuration_drops_to_mode_0_and_state_5(box):
    _enter(box, 1)
    status, _ = execute(box, Func.SET_LOAD_PARAM, pack_floats([1.0, 0.0, 0.0, 70.0]))
    assert status == Status.OK  # it was ready when the command came
    assert (box.mode, box.state) == (0, State.CONFIG_CHANGED)
    assert _servo(box, box.world.arm_q) & Status.NOT_READY


def test_servo_target_moves_the_arm_in_mode_1(box):
    _enter(box, 1)
    target = box.world.arm_q + 0.05
    assert _servo(box, target) == Status.OK
    _run(box, 0.4)
    assert np.abs(box.world.arm_q - target).max() < 0.01


def test_servo_in_the_wrong_mode_answers_ok_and_does_nothing(box):
    _enter(box, 0)
    before = box.world.arm_q
    assert _servo(box, before + 0.2) == Status.OK
    _run(box, 0.3)
    assert np.abs(box.world.arm_q - before).max() < 0.01


@pytest.mark.parametrize("value", [np.nan, 4.0])
def test_nan_or_target_beyond_the_limits_is_error_23(box, value):
    _enter(box, 1)
    target = box.world.arm_q
    target[1] = value
    assert _servo(box, target) & Status.ERROR
    assert (box.error, box.mode, box.state) == (23, 0, State.STOPPED)


def test_error_must_be_cleaned_then_enabled_and_moded_anew(box):
    _enter(box, 1)
    box.raise_error(31)
    assert execute(box, Func.GET_ERROR, b"")[1] == bytes([31, 0])
    execute(box, Func.SET_STATE, bytes([0]))
    assert box.state == State.STOPPED
    execute(box, Func.CLEAN_ERR, b"")
    _enter(box, 1)


def test_estop_cuts_power_and_stays_until_released(box):
    _enter(box, 1)
    box.press_estop(True)
    assert not box.enabled
    execute(box, Func.CLEAN_ERR, b"")
    assert box.error == 1
    box.press_estop(False)
    execute(box, Func.CLEAN_ERR, b"")
    assert box.error == 0


@pytest.mark.parametrize(("late", "serial"), [(False, b"XI1300"), (True, b"XI1305")])
def test_the_serial_is_of_the_series_whose_limits_hold(table_scene, late, serial):
    embodiment = load_embodiment(late_serial=late)
    box = ControlBox(World(table_scene, embodiment), embodiment)
    assert serial in execute(box, Func.GET_ROBOT_SN, b"")[1]
    assert serial in execute(box, Func.GET_VERSION, b"")[1]


def test_tcp_above_1_2_m_s_trips_error_60_in_servo_mode(box):
    _enter(box, 1)
    target = box.world.arm_q
    target[0] += 1.5
    _servo(box, target)
    _run(box, 0.5)
    assert box.error == 60


def test_slow_servo_motion_does_not_trip(box):
    _enter(box, 1)
    q = box.world.arm_q
    for _ in range(120):
        q[0] += 0.005  # 0.6 rad/s at 120 Hz: about 0.35 m/s
        _servo(box, q)
        _run(box, 0.009)
    assert box.error == 0


def test_stop_during_motion_comes_to_rest_without_turning_back(box):
    _enter(box, 1)
    start = box.world.arm_q
    _servo(box, start + np.array([0.3, 0, 0, 0, 0, 0, 0]))
    _run(box, 0.03)
    execute(box, Func.SET_STATE, bytes([4]))
    positions = []
    for _ in range(100):
        _run(box, SET_S)
        positions.append(box.world.arm_reference[0])
    assert np.all(np.diff(positions) >= -1e-9)
    assert abs(box.world.arm_reference_speed[0]) < 1e-3
    assert box.state == State.STOPPED


def test_planned_move_arrives_at_the_commanded_speed_and_empties_the_queue(box):
    _enter(box, 0)
    goal = box.world.arm_q
    goal[0] += 0.5
    execute(box, Func.MOVE_JOINT, pack_floats([*goal, 1.0, 10.0, 0.0]))
    assert (box.state, box.queued) == (State.MOVING, 1)
    _run(box, 0.3)
    assert box.world.arm_reference_speed[0] == pytest.approx(1.0, abs=0.02)
    _run(box, 0.7)
    assert (box.state, box.queued) == (State.STANDBY, 0)
    assert np.abs(box.world.arm_q - goal).max() < 0.005


def test_mode_6_replaces_the_goal_of_a_move_under_way(box):
    _enter(box, 6)
    first, second = box.world.arm_q, box.world.arm_q
    first[0] += 0.4
    second[0] -= 0.1
    execute(box, Func.MOVE_JOINT, pack_floats([*first, 0.8, 8.0, 0.0]))
    _run(box, 0.2)
    execute(box, Func.MOVE_JOINT, pack_floats([*second, 0.8, 8.0, 0.0]))
    _run(box, 1.0)
    assert np.abs(box.world.arm_q - second).max() < 0.005


def test_joint_speed_stops_by_itself_after_its_duration(box):
    _enter(box, 4)
    payload = pack_floats([0.3, 0, 0, 0, 0, 0, 0]) + bytes([1]) + pack_floats([0.2])
    start = box.world.arm_q[0]
    execute(box, Func.VC_SET_JOINTV, payload)
    _run(box, 1.0)
    assert box.world.arm_q[0] - start == pytest.approx(0.3 * 0.2, abs=0.01)


def test_fence_trips_error_35_only_with_reduced_mode_on(box):
    for func, payload in (
        (Func.SET_LIMIT_XYZ, struct.pack("<6i", 9999, 9998, 9999, -9999, 9999, -9999)),
        (Func.SET_FENCE_ON, bytes([1])),
    ):
        execute(box, func, payload)
    _enter(box, 1)
    _run(box, 0.01)
    assert box.error == 0
    execute(box, Func.SET_REDUCED_MODE, bytes([1]))
    _enter(box, 1)
    _run(box, 0.01)
    assert box.error == 35


def test_polled_joint_states_are_position_velocity_effort(box):
    _, data = execute(box, Func.GET_JOINT_POS, bytes([3]))
    values = np.frombuffer(data, "<f4").reshape(3, 7)
    np.testing.assert_allclose(values[0], box.world.arm_q, atol=1e-6)
    assert execute(box, Func.GET_JOINT_POS, b"")[1] == data[:28]


@given(func=st.integers(0, 255), payload=st.binary(max_size=64))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_request_can_break_the_box(box, func, payload):
    status, data = execute(box, func, payload)
    assert 0 <= status <= 255
    assert isinstance(data, bytes)
    box.step(SET_S)
