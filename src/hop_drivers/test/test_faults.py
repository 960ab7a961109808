"""Faults in any order, in the midst of motion: each stops the device, none ends in motion.

Long runs: pytest -m faults.
"""

import os
import random
import time

import numpy as np
import pytest

from hop_core.embodiment import HAND, load_embodiment
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_drivers.allegro import AllegroHand
from hop_drivers.arm_loop import ArmDriver
from hop_drivers.hand_loop import HandDriver
from hop_drivers.xarm import XArm

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
ADDRESS = f"{os.environ['HOP_TEST_NET']}.64"
E = load_embodiment()
ROUNDS = 8
ARM_FAULTS = [
    ("arm_error", {"code": 23}),
    ("arm_error", {"code": 31}),
    ("arm_estop", {}),
    ("arm_drop", {}),
    ("arm_stall", {"duration_s": 2.5}),
    ("arm_mute_reports", {}),
]
HAND_FAULTS = [
    ("hand_silent", {}),
    ("hand_over_temperature", {"temperature_c": 75}),
    ("hand_servo_off", {}),
    ("hand_drop", {}),
]


def survive(rig, twin, fault, values, goal_of, chance):
    """Move, have `fault` happen at some moment, and come back by `recover` alone."""
    arming_id = rig.arm()
    goal = goal_of(rig.readings[-1].q)
    rig.follow(arming_id, goal, lambda: rig.moving, "moving")
    for _ in range(chance.randrange(12)):
        rig.send(arming_id, goal)
    twin.inject(fault, **values)
    rig.follow(arming_id, goal, lambda: rig.view.state is HopState.FAULT, f"a fault of {fault}")
    assert rig.view.reason
    for _ in range(chance.randrange(6)):
        rig.send(arming_id, goal)
    assert rig.view.state is HopState.FAULT
    twin.clear()
    end = time.monotonic() + 40.0
    while rig.view.state is not HopState.IDLE:
        assert time.monotonic() < end, f"no way back from {fault}: {rig.view}"
        rig.send(arming_id, goal)
        rig.driver.request_recover()
        time.sleep(0.2)
    return arming_id, goal


def readings_after(rig, arming_id, goal):
    """Return what is read while targets of the old arming still come."""
    begin = len(rig.readings)
    for _ in range(8):
        rig.send(arming_id, goal)
    assert rig.view.state is HopState.IDLE
    return rig.readings[begin:]


@pytest.mark.parametrize("seed", range(3))
def test_the_arm_survives_its_faults_in_any_order(rig_of, robot, twin, seed):
    chance = random.Random(seed)
    rig = rig_of(
        lambda on_reading, on_change: ArmDriver(
            robot.arm, E, load_safety(), XArm, on_reading, on_change
        )
    )

    def away(q):
        return q + np.array([chance.choice([-0.6, 0.6]), 0, 0, 0, 0, 0, 0])

    for _ in range(ROUNDS):
        fault, values = chance.choice(ARM_FAULTS)
        arming_id, goal = survive(rig, twin, fault, values, away, chance)
        time.sleep(0.5)  # it may swing out
        q = np.array([reading.q for reading in readings_after(rig, arming_id, goal)])
        assert np.ptp(q, axis=0).max() < 0.01, f"it moves after {fault}"


@pytest.mark.parametrize("seed", range(3))
def test_the_hand_survives_its_faults_in_any_order(rig_of, robot, twin, seed):
    chance = random.Random(seed)
    rig = rig_of(
        lambda on_reading, on_change: HandDriver(
            robot.hand, E, load_safety(), AllegroHand, on_reading, on_change, guard=False
        )
    )

    def away(q):
        return np.clip(q + chance.uniform(-0.4, 0.4), E.lower[HAND], E.upper[HAND])

    for _ in range(ROUNDS):
        fault, values = chance.choice(HAND_FAULTS)
        arming_id, goal = survive(rig, twin, fault, values, away, chance)
        after = readings_after(rig, arming_id, goal)
        assert not any(reading.effort.any() for reading in after), f"effort after {fault}"
        assert not twin.state()["devices"]["hand"]["servo"], f"torque after {fault}"
