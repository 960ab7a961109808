"""A twin as a process of its own, at the test module's ADDRESS, and how to wait for things."""

import os
import subprocess
import sys
import time

import pytest

from hop_core.robot_config import load_robot
from hop_sim.twin_client import TwinClient

PORT = 29600


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
        with TwinClient(address, PORT, wait_s=20.0) as client:
            yield client
    finally:
        process.terminate()
        process.wait(10.0)


@pytest.fixture(scope="module")
def robot(request):
    """Return the twin's overlay, moved to the module's ADDRESS."""
    return load_robot("twin").moved(request.module.ADDRESS)


def _wait_for(condition, seconds, what):
    """Wait until `condition()` is true; fail naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def wait_for():
    """Return the function that waits for a condition."""
    return _wait_for
