"""The arm's driver, the vendor's SDK, the emulated control box: follows, faults, recovers."""

import os
import time

import numpy as np
import pytest

from hop_core.embodiment import load_embodiment
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_drivers import xarm_codes as codes
from hop_drivers.arm_loop import ArmDriver
from hop_drivers.xarm import XArm

ADDRESS = f"{os.environ['HOP_TEST_NET']}.61"
E = load_embodiment()


@pytest.fixture
def rig(rig_of, robot):
    return rig_of(
        lambda on_reading, on_change: ArmDriver(
            robot.arm, E, load_safety(), XArm, on_reading, on_change
        )
    )


def box(twin):
    """Return what the emulated control box is in: mode, state, error."""
    return twin.state()["devices"]["arm"]


def is_let_go(twin):
    """Whether the box has left servo mode and takes no more motion."""
    return box(twin)["mode"] == 0 and box(twin)["state"] not in codes.MOTION_STATES


def test_it_follows_a_target_and_holds_then_disarms_without_one(rig):
    arming_id = rig.arm()
    goal = rig.readings[-1].q + np.array([0.1, 0, 0, 0, 0, 0.1, 0])
    rig.follow(
        arming_id, goal, lambda: np.abs(rig.readings[-1].q - goal).max() < 0.01, "reaching the goal"
    )
    rig.wait(HopState.IDLE)
    assert "no target" in rig.view.reason
    assert [view.state for view in rig.views][-3:] == [
        HopState.ACTIVE,
        HopState.HOLD,
        HopState.IDLE,
    ]


def test_it_does_not_move_when_it_is_armed(rig):
    start = rig.readings[-1].q
    rig.arm()
    time.sleep(0.5)
    np.testing.assert_allclose(rig.readings[-1].q, start, atol=2e-3)


def test_targets_of_another_arming_are_refused_and_counted(rig):
    rig.arm()
    start = rig.readings[-1].q
    for _ in range(5):
        rig.send("zombie", start + 0.2)
    assert rig.driver.refusals["arming_id"] == 5
    assert rig.view.state is HopState.ARMED


def test_an_arming_id_is_good_for_one_arming(rig):
    arming_id = rig.arm()
    rig.driver.request_disarm()
    rig.driver.request_arm()
    rig.say(HopState.ARMING, arming_id=arming_id)
    time.sleep(0.2)
    assert rig.view.state is HopState.IDLE


def test_an_error_of_the_box_is_a_fault_with_its_sentence_and_recovers_disarmed(rig, twin):
    rig.arm()
    twin.inject("arm_error", code=31)
    rig.wait(HopState.FAULT)
    assert "C31" in rig.view.reason
    assert "collision" in rig.view.reason
    rig.driver.request_recover()
    rig.wait(HopState.IDLE)
    rig.arm()


def test_an_error_while_nothing_moves_is_a_fault_that_no_arming_passes_over(rig, twin):
    twin.inject("arm_error", code=31)
    rig.wait(HopState.FAULT)
    assert "C31" in rig.view.reason
    rig.driver.request_arm()
    rig.say(HopState.ARMING, arming_id="not now")
    time.sleep(0.3)
    assert rig.view.state is HopState.FAULT
    rig.say(HopState.IDLE)
    rig.driver.request_recover()
    rig.wait(HopState.IDLE)
    time.sleep(0.7)
    assert rig.view.state is HopState.IDLE, "a report of before is no new error"
    rig.arm()


def test_the_red_button_blocks_recovery_until_it_is_released(rig, twin, wait_for):
    rig.arm()
    twin.inject("arm_estop")
    rig.wait(HopState.FAULT)
    rig.driver.request_recover()
    wait_for(
        lambda: "release the stop device" in rig.view.reason, 20.0, "the refusal of the recovery"
    )
    assert rig.view.state is HopState.FAULT
    twin.clear()
    rig.driver.request_recover()
    rig.wait(HopState.IDLE)


def test_an_estop_stops_a_moving_arm_and_only_a_new_clear_id_releases_it(rig, twin, wait_for):
    arming_id = rig.arm()
    goal = rig.readings[-1].q + np.array([1.5, 0, 0, 0, 0, 0, 0])
    rig.follow(arming_id, goal, lambda: rig.readings[-1].qd[0] > 0.3, "moving")
    rig.driver.request_estop("button")
    wait_for(lambda: "the arm confirmed the stop" in rig.view.reason, 20.0, "the confirmation")
    assert box(twin)["state"] == codes.STATE_STOPPED
    wait_for(lambda: np.abs(rig.readings[-1].qd).max() < 0.01, 20.0, "rest")
    stopped = rig.readings[-1].q
    assert goal[0] - stopped[0] > 0.5
    rig.driver.request_recover()
    rig.say(HopState.IDLE)
    for _ in range(4):
        rig.send(arming_id, goal)
    assert rig.view.state is HopState.ESTOP
    np.testing.assert_allclose(rig.readings[-1].q, stopped, atol=2e-3)
    rig.say(HopState.IDLE, extra={"clear_id": f"clear-{arming_id}"})
    rig.wait(HopState.IDLE)


def test_an_estop_reaches_a_box_that_answers_nothing(rig, twin, wait_for):
    rig.arm()
    twin.inject("arm_stall", duration_s=60.0)
    rig.driver.request_estop("button")
    wait_for(lambda: box(twin)["state"] == codes.STATE_STOPPED, 20.0, "the stop")
    assert "confirmed the stop" not in rig.view.reason
    twin.clear()
    wait_for(lambda: "the arm confirmed the stop" in rig.view.reason, 20.0, "the confirmation")
    assert rig.view.state is HopState.ESTOP


def test_a_lost_connection_is_a_fault_and_a_new_one_is_made(rig, twin, wait_for):
    rig.arm()
    twin.inject("arm_drop")
    rig.wait(HopState.FAULT)
    count = len(rig.readings)
    wait_for(lambda: len(rig.readings) > count + 50, 30.0, "joint states of the new connection")
    assert rig.view.state is HopState.FAULT
    rig.driver.request_recover()
    rig.wait(HopState.IDLE)


def test_a_supervisor_that_disarms_takes_driver_and_box_along(rig, twin, wait_for):
    rig.arm()
    assert not is_let_go(twin)
    rig.say(HopState.IDLE)
    assert rig.view.state is HopState.IDLE
    wait_for(lambda: is_let_go(twin), 20.0, "the box to be let go")


def test_a_driver_that_ends_while_armed_lets_the_box_go(rig, twin, wait_for):
    rig.arm()
    assert not is_let_go(twin)
    rig.driver.close()
    wait_for(lambda: is_let_go(twin), 20.0, "the box to be let go")


def test_every_tick_of_120_hz_is_a_joint_state_or_counted(rig):
    loop = rig.driver.loop
    assert loop.period_ns == round(1e9 / 120)

    start = time.monotonic()

    def lead():
        """Return by how many ticks the loop is ahead of 120 Hz, at its most punctual."""
        found = []
        for _ in range(80):
            stats = loop.stats()
            found.append(stats.ticks + stats.missed - 120 * (time.monotonic() - start))
            time.sleep(0.005)
        return max(found)

    def unread():
        """Return how many ticks gave no joint state, less those whose reading failed."""
        return loop.stats().ticks - rig.driver.diagnostics()["failed_reads"] - len(rig.readings)

    begin, before = lead(), unread()
    assert lead() == pytest.approx(begin, abs=3)
    assert unread() == pytest.approx(before, abs=2)
    assert (np.diff([reading.stamp_ns for reading in rig.readings]) > 0).all()
