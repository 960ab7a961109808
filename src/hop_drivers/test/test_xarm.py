"""The arm's adapter: a box that does not fit is let go, one that falls silent is a fault."""

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
