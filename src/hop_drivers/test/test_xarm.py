"""The arm's adapter: a box that does not fit is let go, one that falls silent is a fault."""

import re
import socket
from types import SimpleNamespace

import numpy as np
import pytest

from hop_core.errors import DeviceError
from hop_core.robot_config import load_robot
from hop_drivers import xarm
from hop_drivers.xarm import XArm
from hop_drivers.xarm_connection import probe


class Api:
    """A client of the SDK that is connected until it is told otherwise."""

    def __init__(self, version, serial):
        self.version_number, self.sn = version, serial
        self.connected = True

    error_code, mode, state = 0, xarm.codes.SERVO_MODE, 1

    def register_report_callback(self, *_args, **_keys):
        pass

    def disconnect(self):
        self.connected = False


@pytest.mark.parametrize(
    ("version", "serial", "second", "message"),
    [
        ((1, 8, 0), "XF130400", True, "update it"),
        ((1, 12, 0), "XF130500", True, "set arm.late_serial: true"),
        ((1, 12, 0), "XF130400", False, "nobody answers"),
    ],
)
def test_a_box_that_does_not_fit_is_let_go(monkeypatch, version, serial, second, message):
    made = []

    def connect(_config, report):
        if not (report or second):
            raise DeviceError("nobody answers")
        made.append(Api(version, serial))
        return made[-1]

    monkeypatch.setattr("hop_drivers.xarm.probe", lambda _config: SimpleNamespace())
    monkeypatch.setattr("hop_drivers.xarm.connect", connect)
    with pytest.raises(DeviceError, match=message):
        XArm(load_robot("twin").arm).open()
    assert len(made) == 1 + second
    assert not any(api.connected for api in made)


def test_silence_counts_from_the_connection_until_the_first_report(monkeypatch):
    """A box that was just connected has said nothing yet, and is not silent for that."""
    now_ns = 100_000_000_000_000  # a machine that has been up for a day
    monkeypatch.setattr("hop_drivers.xarm.probe", lambda _config: SimpleNamespace())
    monkeypatch.setattr(
        "hop_drivers.xarm.connect", lambda _config, report: Api((1, 12, 0), "XF130400")
    )
    monkeypatch.setattr(xarm.time, "monotonic_ns", lambda: now_ns)
    arm = XArm(load_robot("twin").arm)
    arm.open()
    assert arm.fault() is None
    now_ns += 3_000_000_000
    assert "reports stopped 3.0 s ago" in arm.fault()
    arm._on_report({})
    assert arm.fault() is None


def test_a_box_that_takes_the_connection_and_stays_silent_is_told_soon(monkeypatch):
    monkeypatch.setattr("hop_drivers.xarm_connection._PROBE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        config = load_robot("twin").arm.model_copy(update={"control_port": server.getsockname()[1]})
        with pytest.raises(DeviceError, match=r"no xArm control box answers at .*timed out"):
            probe(config)


class Answers:
    """A connected client that answers nothing to the first `late` questions for its error."""

    connected = True

    def __init__(self, late, error=0):
        self.late, self.error = late, error
        self.timeouts = []

    def get_err_warn_code(self):
        self.late -= 1
        return (3, [0, 0]) if self.late >= 0 else (0, [self.error, 0])

    def clean_error(self):
        return 1  # a status whose error bit is still set, as a real box may answer

    clean_warn = clean_error

    def set_timeout(self, value):
        self.timeouts.append(value)

    def set_servo_angle_j(self, *_args, **_keys):
        return 3


def test_recovery_waits_for_an_answer_and_says_when_none_comes(monkeypatch):
    arm = XArm(load_robot("twin").arm)
    arm._api = Answers(late=2)
    arm.clear()
    arm._api = Answers(late=0, error=31)
    with pytest.raises(DeviceError, match="C31"):
        arm.clear()
    monkeypatch.setattr(xarm, "_SETTING_S", 0.05)
    arm._api = Answers(late=10**9)
    with pytest.raises(DeviceError, match="get_err_warn_code failed with code 3"):
        arm.clear()
    with pytest.raises(DeviceError, match="set_servo_angle_j failed with code 3"):
        arm.servo(np.zeros(7))


class Box:
    """A connected client of a box that does as it is told; keyword values replace its own."""

    connected, error_code, mode, state = True, 0, xarm.codes.SERVO_MODE, 1

    def __init__(self, **values):
        self.tcp_load, self.collision_sensitivity = [0.0, [0.0, 0.0, 0.0]], 3
        self.sent, self.stops = [], 0
        self.joints = np.zeros((3, 7))
        self.core = SimpleNamespace(set_collis_sens=lambda _value: [0])
        vars(self).update(values)

    def get_joint_states(self, **_keys):
        return 0, self.joints.tolist()

    def set_servo_angle_j(self, q, **_keys):
        self.sent.append(q)
        return 0

    def get_err_warn_code(self):
        return 0, [0, 0]

    def get_state(self):
        return 0, self.state

    def set_state(self, state):
        self.stops += state == xarm.codes.STATE_STOPPED
        return 0

    def accept(self, *_args):
        return 0

    clean_warn = motion_enable = set_mode = set_tcp_load = set_timeout = accept
    set_self_collision_detection = accept


def on(box, stop_box=None):
    """Return the adapter, connected to `box`, from which it just had a report."""
    arm = XArm(load_robot("twin").arm)
    arm._api, arm._stop_api = box, stop_box or box
    arm._on_report({})
    return arm


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, None),
        ({"connected": False}, "was closed"),
        ({"error_code": 31}, "C31"),
        ({"mode": 0}, r"left servo mode \(mode 0\)"),
        ({"state": 4}, r"stopped \(state 4\)"),
    ],
)
def test_whatever_keeps_the_arm_from_following_is_a_fault(values, told):
    fault = on(Box(**values)).fault()
    assert fault is None if told is None else re.search(told, fault)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_neither_reaches_the_arm_nor_passes_for_a_joint_state(bad):
    box = Box()
    arm = on(box)
    q = np.zeros(7)
    q[3] = bad
    with pytest.raises(DeviceError, match="not a number was kept from the arm"):
        arm.servo(q)
    assert not box.sent
    box.joints[0, 3] = bad
    with pytest.raises(DeviceError, match="reports a joint angle that is not a number"):
        arm.read()


def test_a_payload_that_the_box_did_not_take_keeps_the_arm_from_arming(monkeypatch):
    monkeypatch.setattr(xarm, "_READBACK_S", 0.1)
    config = load_robot("twin").arm
    taken = [config.payload_kg, [1000.0 * value for value in config.payload_center_m]]
    on(Box(tcp_load=taken, collision_sensitivity=config.collision_sensitivity)).enable()
    for other in (
        {"tcp_load": [0.0, taken[1]], "collision_sensitivity": config.collision_sensitivity},
        {"tcp_load": taken, "collision_sensitivity": config.collision_sensitivity - 1},
    ):
        with pytest.raises(DeviceError, match="did not take the payload or the collision sens"):
            on(Box(**other)).enable()


def test_a_stop_that_is_not_confirmed_says_what_a_person_can_do(monkeypatch):
    monkeypatch.setattr(xarm, "_STOP_S", 0.1)
    box = Box(state=2)
    with pytest.raises(DeviceError, match=r"did not confirm the stop .*; press the red button"):
        on(Box(), box).stop()
    assert box.stops > 1


def test_a_stop_whose_connection_is_closed_is_sent_over_a_new_one(monkeypatch):
    box = Box(state=xarm.codes.STATE_STOPPED)
    monkeypatch.setattr("hop_drivers.xarm.probe", lambda _config: None)
    monkeypatch.setattr("hop_drivers.xarm.connect", lambda _config, report: box)
    on(Box(), Box(connected=False)).stop()
    assert box.stops == 1
