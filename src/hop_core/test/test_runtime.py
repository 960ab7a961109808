"""The life of a node: clean ends, one sentence for errors, and no node outlives its launcher."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hop_core.realtime import Priority, probe

pytest.importorskip("rclpy")
pytestmark = pytest.mark.ros

NODE = """
import sys
from hop_core.errors import DeviceError
from hop_core.nodes.runtime import HopNode, run
from hop_core.realtime import Priority

class Sample(HopNode):
    def __init__(self):
        super().__init__("sample")
        if "fail" in sys.argv:
            raise DeviceError("no device at 10.0.0.1; check the cable")
        print("up", flush=True)
        if "stop" in sys.argv:
            self.stop(3)
    def close(self):
        print("closed", flush=True)

sys.exit(run(Sample, priority=Priority.CAMERA))
"""


def start(*arguments, **extra):
    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": os.environ["HOP_TEST_DOMAIN"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        **extra,
    }
    return subprocess.Popen(
        [sys.executable, "-c", NODE, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number):
    process = start()
    assert process.stdout.readline() == "up\n"
    process.send_signal(number)
    output, errors = process.communicate(timeout=40.0)
    assert process.returncode == 0
    assert output == "closed\n"
    assert str(probe(Priority.CAMERA)) in errors  # granted or not, it is said
    assert "Traceback" not in errors


def test_an_expected_error_is_one_sentence_and_exit_code_1():
    process = start("fail")
    _, errors = process.communicate(timeout=40.0)
    assert process.returncode == 1
    assert "no device at 10.0.0.1; check the cable" in errors
    assert "Traceback" not in errors


def test_it_may_end_itself_with_a_code():
    process = start("stop")
    process.communicate(timeout=40.0)
    assert process.returncode == 3


def test_it_ends_when_its_launcher_is_killed():
    launcher = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys\n"
            "child = subprocess.Popen([sys.executable, '-c', sys.argv[1]])\n"
            "print(child.pid, flush=True)\n"
            "child.wait()\n",
            NODE,
        ],
        env={
            **os.environ,
            "ROS_DOMAIN_ID": os.environ["HOP_TEST_DOMAIN"],
            "HOP_EXIT_WITH_PARENT": "1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    child = int(launcher.stdout.readline())
    assert launcher.stdout.readline() == "up\n"
    launcher.kill()
    launcher.wait(20.0)
    deadline = time.monotonic() + 30.0
    while _alive(child):
        assert time.monotonic() < deadline, "the node outlived its launcher"
        time.sleep(0.05)


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
