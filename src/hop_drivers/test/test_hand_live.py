"""The hand's driver with python-can on the emulated hand: it follows, faults, lets go."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from hop_core.embodiment import HAND, load_embodiment
from hop_core.errors import DeviceError
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_drivers import hand_loop
from hop_drivers.allegro import AllegroHand
from hop_drivers.hand_guard import HandGuard
from hop_drivers.hand_loop import HandDriver

ADDRESS = f"{os.environ['HOP_TEST_NET']}.62"
E = load_embodiment()


@pytest.fixture
def guarded(request):
    """Whether the rig's driver has a guard process: only where a test asks for it."""
    return getattr(request, "param", False)


@pytest.fixture
def rig(rig_of, robot, guarded):
    return rig_of(
        lambda on_reading, on_change: HandDriver(
            robot.hand, E, load_safety(), AllegroHand, on_reading, on_change, guard=guarded
        )
    )


def servo_on(twin):
    return twin.state()["devices"]["hand"]["servo"]


@pytest.fixture
def guard(robot):
    """A guard of the hand; whatever comes, it leaves before the next test."""
    guard = HandGuard(robot.hand)
    yield guard
    guard.release(all_is_well=True)


@pytest.fixture
def arm(rig, twin, wait_for):
    """Return what arms the hand and waits until it has torque; it returns the arming id."""

    def armed():
        arming_id = rig.arm()
        wait_for(lambda: servo_on(twin), 20.0, "servo on")
        return arming_id

    return armed


def test_it_follows_a_target_softly(rig, arm):
    arming_id = arm()
    goal = np.clip(rig.readings[-1].q + 0.25, E.lower[HAND], E.upper[HAND])

    def followed():  # a torque hand under gravity: 0.08-0.13 rad at these gains
        return np.median(np.abs(rig.readings[-1].q - goal)) < 0.13

    rig.follow(arming_id, goal, followed, "coming near the goal")
    efforts = [np.abs(reading.effort).max() for reading in rig.readings if reading.effort.any()]
    assert efforts[0] < 0.1 * max(efforts)  # the gains begin at zero


def test_disarming_takes_the_torque_off(rig, twin, arm, wait_for):
    arming_id = arm()
    goal = np.clip(rig.readings[-1].q + 0.25, E.lower[HAND], E.upper[HAND])
    rig.follow(arming_id, goal, lambda: rig.readings[-1].effort.any(), "effort")
    rig.driver.request_disarm()
    wait_for(lambda: not servo_on(twin), 20.0, "servo off")
    wait_for(lambda: not rig.readings[-1].effort.any(), 20.0, "no effort")


def test_an_estop_takes_the_torque_off(rig, twin, arm, wait_for):
    arm()
    rig.driver.request_estop("button")
    wait_for(lambda: not servo_on(twin), 20.0, "servo off")
    wait_for(lambda: "told to switch off" in rig.view.reason, 20.0, "the news")
    assert rig.view.reason.startswith("button (")
    assert rig.view.state is HopState.ESTOP


def test_silence_is_a_fault_while_armed_and_the_stream_comes_back_disarmed(rig, twin, wait_for):
    rig.arm()
    twin.inject("hand_silent")
    rig.wait(HopState.FAULT)
    assert "has not told all its joints" in rig.view.reason
    twin.clear()
    count = len(rig.readings)
    wait_for(lambda: len(rig.readings) > count + 20, 20.0, "joint states")
    rig.driver.request_recover()
    rig.wait(HopState.IDLE)


def test_a_driver_that_ends_while_armed_takes_the_torque_off(rig, twin, arm, wait_for):
    arm()
    rig.driver.close()
    wait_for(lambda: not servo_on(twin), 20.0, "servo off")


def test_a_lost_bus_is_a_fault_and_the_hand_is_switched_off_when_it_is_back(
    rig, twin, arm, wait_for
):
    arm()
    twin.inject("hand_drop")
    rig.wait(HopState.FAULT)
    wait_for(lambda: not servo_on(twin), 20.0, "servo off")
    count = len(rig.readings)
    wait_for(lambda: len(rig.readings) > count + 20, 20.0, "joint states of the new connection")
    assert rig.view.state is HopState.FAULT
    rig.driver.request_recover()
    rig.wait(HopState.IDLE)


def test_a_hot_hand_is_a_fault(rig, twin, arm, wait_for):
    arm()
    twin.inject("hand_over_temperature", temperature_c=75)
    rig.wait(HopState.FAULT)
    assert "75 degC" in rig.view.reason
    wait_for(lambda: not servo_on(twin), 20.0, "servo off")


def test_a_hot_hand_is_neither_recovered_nor_armed(rig, twin, wait_for):
    twin.inject("hand_over_temperature", temperature_c=75)
    wait_for(lambda: rig.driver.diagnostics()["temperature_c"] == 75, 20.0, "the temperature")
    rig.driver.request_arm()
    rig.say(HopState.ARMING, arming_id="hot")
    rig.wait(HopState.FAULT)
    assert "75 degC" in rig.view.reason
    assert not servo_on(twin)
    rig.driver.request_recover()
    wait_for(lambda: "let it cool" in rig.view.reason, 20.0, "the refusal of the recovery")
    assert rig.view.state is HopState.FAULT
    twin.clear()
    wait_for(lambda: rig.driver.diagnostics()["temperature_c"] < 60, 20.0, "a cool hand")
    rig.driver.request_recover()
    rig.wait(HopState.IDLE)


def test_a_hand_that_does_not_tell_how_it_is_is_a_fault(rig, twin, monkeypatch, wait_for):
    rig.arm()
    monkeypatch.setattr(hand_loop, "_INFO_SILENT_NS", 300_000_000)
    silent = pytest.MonkeyPatch()
    silent.setattr(rig.driver.link.adapter, "poll_info", lambda: None)
    rig.wait(HopState.FAULT)
    assert "neither temperature nor status" in rig.view.reason
    before = rig.view.reason
    rig.driver.request_recover()
    wait_for(lambda: rig.view.reason != before, 20.0, "the refusal of the recovery")
    assert rig.view.state is HopState.FAULT  # by what it said before
    assert not servo_on(twin)
    silent.undo()
    monkeypatch.setattr(hand_loop, "_INFO_SILENT_NS", 5_000_000_000)
    wait_for(
        lambda: rig.driver.request_recover() and rig.view.state is HopState.IDLE, 20.0, "recovery"
    )


def test_a_hand_that_told_nothing_of_itself_lately_is_not_armed(rig, twin, monkeypatch, wait_for):
    monkeypatch.setattr(rig.driver.link.adapter, "poll_info", lambda: None)
    monkeypatch.setattr(hand_loop, "_INFO_SILENT_NS", 0)
    rig.driver.request_arm()
    rig.say(HopState.ARMING, arming_id="silent")
    rig.wait(HopState.FAULT)
    assert "neither temperature nor status" in rig.view.reason
    assert not servo_on(twin)


def test_a_hand_that_switches_itself_off_is_a_fault(rig, twin):
    arming_id = rig.arm()
    goal = rig.readings[-1].q
    rig.follow(arming_id, goal, lambda: rig.moving, "moving")
    twin.inject("hand_servo_off")
    rig.follow(arming_id, goal, lambda: rig.view.state is HopState.FAULT, "a fault")
    assert "switched its torque off" in rig.view.reason


def test_joint_states_come_on_every_second_set(rig, twin, wait_for):
    assert E.rates.hand_publish_every == 2

    def sent():
        return twin.state()["loop"]["sets"]

    def answered():
        figures = rig.driver.diagnostics()
        return figures["sets"] - figures["burst_sets"]

    before, sets, readings, known = sent(), rig.driver.sets.sets, len(rig.readings), answered()
    wait_for(lambda: len(rig.readings) >= readings + 100, 60.0, "joint states")
    assert len(rig.readings) - readings == pytest.approx((answered() - known) / 2, abs=2)
    # Every set that the hand has sent arrives, on a stalled machine later.
    wait_for(
        lambda: abs((sent() - before) - (rig.driver.sets.sets - sets)) <= 5, 30.0, "all sets sent"
    )


def test_the_other_hand_is_refused_in_one_sentence(twin, robot):
    hand = AllegroHand(robot.hand.model_copy(update={"side": "left"}))
    with pytest.raises(DeviceError, match=r"is a right hand, configured is left"):
        hand.open()


def test_a_dead_port_is_refused_in_one_sentence(robot):
    hand = AllegroHand(robot.hand.model_copy(update={"port": 29999}))
    with pytest.raises(DeviceError, match="no socketcand server answers"):
        hand.open()


def test_a_guard_that_is_let_go_leaves_the_hand_alone(guard, twin, arm):
    arm()
    assert guard.alive
    guard.release(all_is_well=True)
    assert not guard.alive
    assert servo_on(twin)


def test_a_guard_outlives_signals_and_switches_off_a_hand_that_did_not_come_to_rest(
    guard, twin, arm, wait_for
):
    arm()
    (process,) = guards()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    wait_for(lambda: all(ignores(process, number) for number in numbers), 20.0, "the guard")
    for number in numbers:
        process.send_signal(number)
    assert guard.alive
    assert servo_on(twin)
    guard.release(all_is_well=False)
    assert not guard.alive
    assert not servo_on(twin)


@pytest.mark.parametrize("guarded", [True], indirect=True)
def test_a_guard_that_died_is_replaced_at_the_next_arming(rig, arm):
    arm()
    (first,) = guards()
    first.kill()
    first.wait(20.0)  # all of its threads
    rig.driver.request_disarm()
    rig.wait(HopState.IDLE)
    arm()
    (second,) = guards()
    assert second.pid != first.pid


def guards():
    """Return the guard processes that this one has started."""
    living = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    return [p for p in living if "hop_drivers.hand_guard" in p.cmdline()]


def ignores(process, number):
    """Whether `process` ignores the signal `number`, by the kernel's word."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    (mask,) = re.findall(r"^SigIgn:\s*(\w+)$", status, re.MULTILINE)
    return bool(int(mask, 16) >> (number - 1) & 1)


_HOST = """
import sys, time
from hop_core.embodiment import load_embodiment
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_drivers.allegro import AllegroHand
from hop_drivers.hand_loop import HandDriver

robot = load_robot("twin").moved(sys.argv[1])
nothing = lambda *_: None
driver = HandDriver(robot.hand, load_embodiment(), load_safety(), AllegroHand, nothing, nothing)
driver.start()
while driver.state.view.state is not HopState.IDLE:
    time.sleep(0.01)
driver.request_arm()
driver.on_supervisor(StateReport("supervisor", HopState.ARMING, arming_id="a"))
while driver.state.view.state is not HopState.ARMED:
    time.sleep(0.01)
print("armed", flush=True)
time.sleep(60)
"""


def test_a_killed_host_does_not_leave_the_torque_on(twin, wait_for):
    twin.clear()
    host = subprocess.Popen(
        [sys.executable, "-c", _HOST, ADDRESS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert host.stdout.readline() == "armed\n"
        wait_for(lambda: servo_on(twin), 20.0, "servo on")
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait(20.0)
    wait_for(lambda: not servo_on(twin), 20.0, "the guard to switch the hand off")
