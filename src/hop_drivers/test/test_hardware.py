"""A lab's own devices, looked at and never armed: HOP_LAB=<lab> pytest -m hardware.

Connecting takes the torque off the hand, so a driver that runs already is left alone: the test
fails.

HOP_LAB=twin does it with a twin that runs beside (hop twin run).
"""

import os
import time

import numpy as np
import pytest

from hop_core.embodiment import ARM, HAND, load_embodiment
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_core.state import HopState
from hop_drivers.allegro import AllegroHand
from hop_drivers.arm_loop import ArmDriver
from hop_drivers.camera_loop import CameraDriver
from hop_drivers.device_lock import lock_arm, lock_hand
from hop_drivers.hand_loop import HandDriver
from hop_drivers.xarm import XArm
from hop_drivers.zed import Zed

LAB = os.environ.get("HOP_LAB", "")
pytestmark = [
    pytest.mark.hardware,
    pytest.mark.skipif(not LAB, reason="HOP_LAB names no robot of config/robots"),
]
WATCHED_S = 5.0
SLACK_RAD = 0.02  # a joint may rest on its stop


@pytest.fixture
def lab():
    return load_robot(LAB)


@pytest.fixture
def arm(lab):
    """The arm's configuration, while nobody else has the arm."""
    lock = lock_arm(lab.arm)
    yield lab.arm
    lock.release()


@pytest.fixture
def hand(lab):
    """The hand's configuration, while nobody else has the hand."""
    lock = lock_hand(lab.hand)
    yield lab.hand
    lock.release()


def watched(rig, joints, embodiment):
    """Return the rate [Hz] of joint states while nobody touches the robot.

    It must stay disarmed and inside its range, and its stamps must go forward.
    """
    begin, start = len(rig.readings), time.monotonic()
    time.sleep(WATCHED_S)
    readings, span_s = rig.readings[begin:], time.monotonic() - start
    assert rig.view.state is HopState.IDLE
    q = np.array([reading.q for reading in readings])
    assert (q > embodiment.lower[joints] - SLACK_RAD).all()
    assert (q < embodiment.upper[joints] + SLACK_RAD).all()
    assert (np.diff([reading.stamp_ns for reading in readings]) > 0).all()
    return len(readings) / span_s


def test_the_arm_tells_its_joints_120_times_a_second(arm, start_rig):
    embodiment = load_embodiment(late_serial=arm.late_serial)
    rig = start_rig(
        lambda on_reading, on_change: ArmDriver(
            arm, embodiment, load_safety(), XArm, on_reading, on_change
        )
    )
    rate = watched(rig, ARM, embodiment)
    assert rate == pytest.approx(embodiment.rates.arm_hz, rel=0.02)
    assert rig.driver.link.adapter.error() is None


def test_the_hand_tells_its_joints_on_every_second_set_of_3_ms(hand, start_rig):
    embodiment = load_embodiment()
    rig = start_rig(
        lambda on_reading, on_change: HandDriver(
            hand, embodiment, load_safety(), AllegroHand, on_reading, on_change, guard=False
        )
    )
    rate = watched(rig, HAND, embodiment)
    rates = embodiment.rates
    assert rate == pytest.approx(1 / rates.hand_period_s / rates.hand_publish_every, rel=0.02)
    assert not any(reading.effort.any() for reading in rig.readings)
    assert rig.driver.diagnostics()["temperature_c"] < hand.warn_c


def test_the_camera_sends_depth_at_its_rate(lab, wait_for):
    frames, lenses, views = [], [], []

    def keep(frame, intrinsics):
        frames.append(frame)
        lenses.append(intrinsics)

    driver = CameraDriver(lab.camera, Zed, keep, views.append)
    driver.start()
    try:
        wait_for(lambda: frames, 60.0, lambda: f"a frame; the camera says {views[-1:]}")
        begin, start = len(frames), time.monotonic()
        time.sleep(WATCHED_S)
        rate = (len(frames) - begin) / (time.monotonic() - start)
    finally:
        driver.close()
    assert rate == pytest.approx(lab.camera.fps, rel=0.05)
    assert lenses[-1].fx == pytest.approx(lab.camera.focal_px, rel=0.1)
    depth_mm = frames[-1].depth_mm
    assert depth_mm.shape == (lab.camera.height, lab.camera.width)
    assert (depth_mm > 0).mean() > 0.3, "most of the image has no depth"
