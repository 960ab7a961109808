"""The arm's driver on an arm that does not do as it is told: it faults, and commands no more.

One that ends leaves no arm in motion without a word.
"""

import time

import numpy as np
import pytest

from hop_core.embodiment import ARM, load_embodiment
from hop_core.errors import DeviceError
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_drivers.arm_adapter import ArmReading
from hop_drivers.arm_loop import ArmDriver

E = load_embodiment()
SAFETY = load_safety()


class HeldArm:
    """An arm that somebody holds where it is.

    `refuses` makes it refuse targets, `goes_on` to halt, `deaf` the emergency stop too.
    """

    def __init__(self):
        self.refuses = self.goes_on = self.deaf = False
        self.told = []  # (7,) each
        self.stops = 0

    def open(self):
        pass

    def close(self):
        pass

    def read(self):
        return ArmReading(E.home[ARM].copy(), np.zeros(7), np.zeros(7), time.time_ns())

    def servo(self, q):
        if self.refuses:
            raise DeviceError("set_servo_angle_j failed")
        self.told.append(q.copy())

    def halt(self):
        if self.goes_on:
            raise DeviceError("set_state failed")

    def stop(self):
        if self.deaf:
            raise DeviceError("the stop is not confirmed; press the red button")
        self.stops += 1

    def nothing(self):
        return None

    enable = clear = fault = reported_error = nothing


@pytest.fixture
def arm():
    return HeldArm()


@pytest.fixture
def rig(arm, start_rig):
    robot = load_robot("twin")
    return start_rig(
        lambda on_reading, on_change: ArmDriver(
            robot.arm, E, SAFETY, lambda _config: arm, on_reading, on_change
        )
    )


def test_an_arm_that_does_not_follow_is_a_fault_and_is_told_nothing_more(rig, arm, wait_for):
    limit = SAFETY.watchdog.tracking_error_rad
    arming_id = rig.arm()
    goal = E.home[ARM].copy()
    goal[0] += 1.0
    rig.follow(arming_id, goal, lambda: rig.view.state is HopState.FAULT, "a fault")
    assert "joint1" in rig.view.reason
    assert "from its command" in rig.view.reason
    strayed = [abs(q[0] - E.home[0]) for q in arm.told]
    assert 0.5 * limit < max(strayed) <= limit
    wait_for(lambda: arm.stops, 20.0, "the stop")
    told = len(arm.told)
    for _ in range(4):
        rig.send(arming_id, goal)
    assert len(arm.told) == told


def test_a_target_that_the_arm_refuses_is_a_fault(rig, arm, wait_for):
    arming_id = rig.arm()
    rig.follow(arming_id, E.home[ARM], lambda: rig.moving, "moving")
    arm.refuses = True
    rig.follow(arming_id, E.home[ARM], lambda: rig.view.state is HopState.FAULT, "a fault")
    assert "set_servo_angle_j failed" in rig.view.reason
    wait_for(lambda: arm.stops, 20.0, "the stop")


def test_an_arm_that_does_not_halt_at_the_end_is_stopped(rig, arm):
    rig.arm()
    arm.goes_on = True
    rig.driver.close()
    assert arm.stops == 1


@pytest.mark.parametrize("how", ["armed", "stopped"])
def test_an_arm_that_may_still_move_at_the_end_is_told(rig, arm, caplog, wait_for, how):
    rig.arm()
    arm.goes_on = arm.deaf = True
    if how == "stopped":
        rig.driver.request_estop("button")
        wait_for(lambda: "not confirmed" in rig.view.reason, 20.0, "the failed stop")
    rig.driver.close()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "the stop is not confirmed; press the red button"
    ]


def test_an_arm_at_rest_is_let_go_in_silence(rig, arm, caplog):
    rig.arm()
    rig.driver.close()
    assert arm.stops == 0
    assert not caplog.records
