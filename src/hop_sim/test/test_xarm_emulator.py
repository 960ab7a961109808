"""The unmodified vendor SDK drives the emulated control box as it drives a real one."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time

import numpy as np
import pytest

xarm = pytest.importorskip("xarm.wrapper")

from xarm.core.config.x_config import XCONF  # noqa: E402
from xarm.core.utils.log import logger  # noqa: E402

from hop_core.errors import TwinError  # noqa: E402
from hop_core.robot_config import load_robot  # noqa: E402
from hop_sim.reactor import Reactor  # noqa: E402
from hop_sim.twin import Twin  # noqa: E402
from hop_sim.twin_client import TwinClient  # noqa: E402
from hop_sim.xarm_emulator import XarmEmulator  # noqa: E402

ADDRESS = f"{os.environ['HOP_TEST_NET']}.1"
SERVO_HZ = 120.0


@pytest.fixture
def arm(running_twin):
    logger.setLevel(logging.CRITICAL)
    XCONF.SocketConf.TCP_CONTROL_PORT = 18502
    api = xarm.XArmAPI(ADDRESS, is_radian=True, report_type="rich", forbid_uds=True)
    socket.setdefaulttimeout(None)
    yield api
    api.disconnect()


@pytest.fixture
def twin(running_twin):
    with TwinClient(ADDRESS, 29600) as client:
        yield client
        client.clear()


def _enter_servo(api) -> None:
    api.clean_error()
    assert api.motion_enable(True) == 0
    assert api.set_mode(1) == 0
    assert api.set_state(0) == 0
    _wait(lambda: api.mode == 1 and api.state in (1, 2))


def _wait(condition, limit_s: float = 30.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _angles(api) -> np.ndarray:
    code, states = api.get_joint_states(num=3)
    assert code == 0
    return np.array(states[0][:7])


def test_sdk_recognises_an_xarm7_that_is_stopped_and_without_error(arm):
    assert arm.axis == 7
    assert tuple(arm.version_number) == (2, 7, 1)
    assert arm.get_err_warn_code() == (0, [0, 0])


def test_servo_at_120_hz_for_two_seconds_follows_without_a_failed_call(arm):
    _enter_servo(arm)
    start = _angles(arm)
    failed, lag = 0, []
    begin = time.monotonic()
    for k in range(int(2 * SERVO_HZ)):
        target = start.copy()
        target[0] += 0.2 * np.sin(2 * np.pi * 0.5 * k / SERVO_HZ)
        failed += arm.set_servo_angle_j(target.tolist()) != 0
        lag.append(abs(_angles(arm)[0] - target[0]))
        time.sleep(max(0.0, begin + (k + 1) / SERVO_HZ - time.monotonic()))
    assert failed == 0
    assert (
        np.median(lag) < 0.03
    )  # up to 0.63 rad/s, a lag of 33 ms; more only while the machine is busy
    assert arm.error_code == 0


def test_configuration_is_read_back_from_the_rich_report(arm):
    arm.set_mode(0)
    arm.set_state(0)
    assert arm.set_tcp_load(1.1, [0.0, 0.0, 70.0]) in (0, 9)
    arm.core.set_collis_sens(4)
    _wait(lambda: arm.tcp_load == [1.1, [0.0, 0.0, 70.0]] and arm.collision_sensitivity == 4)
    assert (arm.mode, arm.state) == (0, 5)


def test_injected_error_stops_the_arm_and_the_next_servo_call_says_so(arm, twin):
    _enter_servo(arm)
    twin.inject("arm_error", code=31)
    assert arm.set_servo_angle_j(_angles_with_error(arm)) in (1, 9)
    assert arm.get_err_warn_code()[1] == [31, 0]
    _wait(lambda: arm.error_code == 31 and arm.state == 4 and arm.mode == 0)
    _enter_servo(arm)


def _angles_with_error(api) -> list[float]:
    return list(api.get_servo_angle()[1])


def test_second_client_stops_the_arm_of_the_first(arm):
    _enter_servo(arm)
    stopper = xarm.XArmAPI(ADDRESS, is_radian=True, enable_report=False, forbid_uds=True)
    socket.setdefaulttimeout(None)
    stopper.set_state(4)
    assert arm.set_servo_angle_j(_angles(arm).tolist()) == 9
    stopper.disconnect()


def test_stalled_replies_time_out_at_the_sdks_limit_and_then_recover(arm, twin):
    arm.set_timeout(0.05)
    begin = time.monotonic()
    twin.inject("arm_stall", duration_s=1.0)
    code, _ = arm.get_joint_states(num=3)
    assert code == 3
    assert time.monotonic() - begin < 1.0  # it did not wait for the stall's end
    _wait(lambda: arm.get_joint_states(num=3)[0] == 0)


def test_muted_reports_go_silent_without_closing(arm, twin):
    stamps = []
    arm.register_report_callback(lambda _: stamps.append(time.monotonic()))
    _wait(lambda: len(stamps) >= 2)
    twin.inject("arm_mute_reports")
    _wait(lambda: time.monotonic() - stamps[-1] > 1.0)  # five periods of the reports
    assert arm.connected


def test_dropped_connection_is_noticed_and_a_new_client_gets_in(arm, twin):
    twin.inject("arm_drop")
    _wait(lambda: not arm.connected)
    with contextlib.closing(socket.create_connection((ADDRESS, 18502), 1.0)):
        pass


def test_stream_that_is_not_the_protocol_ends_only_its_own_connection(arm):
    with socket.create_connection((ADDRESS, 18502), 1.0) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        stranger.settimeout(2.0)
        assert stranger.recv(100) == b""
    assert arm.get_state()[0] == 0


def test_port_in_use_is_one_sentence_and_leaves_nothing_listening(running_twin):
    box = running_twin.devices.box
    with pytest.raises(TwinError, match=f"{ADDRESS}:18502 .*arm control box.*--address"):
        XarmEmulator(Reactor(), box, ADDRESS, 18502)
    with pytest.raises(TwinError, match="in use"):
        Twin(load_robot("twin"), "grasp_lift", address=ADDRESS)
