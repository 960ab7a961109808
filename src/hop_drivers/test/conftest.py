"""A twin as a process of its own, at the test module's ADDRESS, and how to wait for things."""

import os
import subprocess
import sys
import time

import pytest

from hop_core.robot_config import load_robot
from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_drivers.target import Target
from hop_sim.twin_client import TwinClient

PORT = 29600
SILENCE_S = 1.0
"""Patience with a device: on a loaded machine the twin's process is stalled for long."""


@pytest.fixture(scope="module")
def twin(request):
    """Yield a control-channel client of a running twin."""
    address = request.module.ADDRESS
    process = subprocess.Popen(
        [sys.executable, "-m", "hop_sim.twin_cli", "run", "--address", address],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        with TwinClient(address, PORT, wait_s=60.0) as client:
            yield client
    finally:
        process.terminate()
        process.wait(30.0)


@pytest.fixture(scope="module")
def robot(request):
    """Return the twin's overlay, moved to the module's ADDRESS, with patience."""
    robot = load_robot("twin").moved(request.module.ADDRESS)
    arm = robot.arm.model_copy(update={"silence_s": SILENCE_S, "reply_timeout_s": SILENCE_S / 2})
    hand = robot.hand.model_copy(update={"silence_s": SILENCE_S})
    return robot.model_copy(update={"arm": arm, "hand": hand})


def _wait_for(condition, seconds, what):
    """Wait until `condition()` is true; fail naming `what`, words or what gives them, then."""
    deadline = time.monotonic() + seconds
    while not condition():
        told = what() if callable(what) else what
        assert time.monotonic() < deadline, f"waited {seconds} s for {told}"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def wait_for():
    """Return the function that waits for a condition."""
    return _wait_for


class DriverRig:
    """A driver on the twin, its supervisor played by the test.

    `make(on_reading, on_change)` makes the driver; `readings` holds all that it read, `views` all
    that it said of its state.
    """

    def __init__(self, make):
        self.readings = []
        self.views = []
        self.ids = 0
        self.driver = make(self.readings.append, self.views.append)

    @property
    def view(self):
        return self.driver.state.view

    @property
    def moving(self):
        return self.view.state is HopState.ACTIVE

    def wait(self, state, seconds=30.0):
        end = time.monotonic() + seconds
        while self.view.state is not state:
            assert time.monotonic() < end, f"waited {seconds} s for {state}, not {self.view}"
            time.sleep(0.01)

    def say(self, state, **keys):
        self.driver.on_supervisor(StateReport("supervisor", state, **keys))

    def arm(self):
        self.wait(HopState.IDLE)
        self.ids += 1
        arming_id = f"arming{self.ids}-{id(self)}"
        self.driver.request_arm()
        self.say(HopState.ARMING, arming_id=arming_id)
        self.wait(HopState.ARMED)
        self.say(HopState.ARMED, arming_id=arming_id)
        return arming_id

    def send(self, arming_id, goal):
        """Offer one target, as a policy does every 50 ms."""
        now = time.time_ns()
        target = Target(arming_id, now, (now + 50_000_000,), goal[None])
        self.driver.offer(lambda: target)
        time.sleep(0.05)

    def follow(self, arming_id, goal, condition, what, seconds=30.0):
        """Offer targets until `condition()` is true."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"followed for {seconds} s without {what}: {self.view}"
            self.send(arming_id, goal)


@pytest.fixture
def start_rig():
    """Return a function that starts a rig and waits for readings."""
    rigs = []

    def start(make):
        rig = DriverRig(make)
        rigs.append(rig)
        rig.driver.start()
        rig.wait(HopState.IDLE)
        _wait_for(lambda: rig.readings, 20.0, "joint states")
        return rig

    yield start
    for rig in rigs:
        rig.driver.close()


@pytest.fixture
def rig_of(twin, start_rig):
    """Return a function that starts a rig on the twin without faults."""

    def start(make):
        twin.clear()
        return start_rig(make)

    return start
