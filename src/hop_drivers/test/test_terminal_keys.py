"""The launch terminal's keys: read from the controlling terminal, which gets its settings back."""

import fcntl
import itertools
import os
import pty
import subprocess
import sys
import termios
import time
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

from hop_core import topics  # noqa: E402
from hop_core.embodiment import load_embodiment  # noqa: E402
from hop_core.nodes.qos import NEWEST, reliable  # noqa: E402
from hop_core.nodes.runtime import make_executor  # noqa: E402
from hop_core.nodes.state_io import StatePublisher  # noqa: E402
from hop_core.state import HopState, Source  # noqa: E402
from hop_drivers.nodes.messages import target_message  # noqa: E402
from hop_drivers.target import Target  # noqa: E402

pytestmark = pytest.mark.ros
DOMAIN = str(int(os.environ["HOP_TEST_DOMAIN"]) + 2)
KEYS = (
    ("a", topics.SUPERVISOR_ARM, None),
    ("d", topics.SUPERVISOR_DISARM, None),
    ("r", topics.SUPERVISOR_RECOVER, None),
    ("h", topics.SUPERVISOR_HOME, None),
    ("c", topics.SUPERVISOR_CLEAR_ESTOP, None),
    ("p", topics.SUPERVISOR_POLICY, True),
    ("j", topics.SUPERVISOR_TELEOP, True),
    ("b", topics.RECORDER_START, None),
    ("y", topics.RECORDER_STOP, True),
    ("n", topics.RECORDER_STOP, False),
    ("x", topics.RECORDER_DISCARD, None),
)
"""Keys, the service of each, and what it sets."""
CODE = "from hop_drivers.nodes.terminal_keys import main; main()"


def start(terminal):
    def own_terminal():
        os.setsid()
        if terminal is not None:
            fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    environment = {
        **os.environ,
        "ROS_DOMAIN_ID": DOMAIN,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    return subprocess.Popen(
        [sys.executable, "-c", CODE],
        env=environment,
        preexec_fn=own_terminal,
        stderr=subprocess.PIPE,
        text=True,
    )


class Desk:
    """A terminal with the node behind it, and a graph that answers whatever its keys ask for."""

    def __init__(self):
        self.outside, self.inside = pty.openpty()
        os.set_blocking(self.outside, False)
        self.before = termios.tcgetattr(self.inside)
        self.process = start(self.inside)
        self.context = Context()
        rclpy.init(context=self.context, domain_id=int(DOMAIN))
        self.node = Node("supervisor", context=self.context)
        self.executor = make_executor(self.context)
        self.executor.add_node(self.node)
        self.text, self.asked, self.pressed, self.jogged = "", [], [], []
        kinds = {service: Trigger if on is None else SetBool for _, service, on in KEYS}
        for service, kind in kinds.items():
            self.node.create_service(kind, service, partial(self._answer, service))
        self.node.create_subscription(
            Bool, topics.ESTOP, lambda m: self.pressed.append(m.data), reliable(10)
        )
        self.node.create_subscription(
            JointTrajectory, topics.TELEOP_TARGET, self.jogged.append, NEWEST
        )
        self.state = StatePublisher(self.node, "supervisor")
        self.command = self.node.create_publisher(JointTrajectory, topics.SAFE_TARGET, NEWEST)

    def _answer(self, service, request, response):
        self.asked.append((service, getattr(request, "data", None)))
        response.success, response.message = True, f"{service} was asked"
        return response

    def until(self, condition, what, seconds=40.0):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited for {what}; on the terminal: {self.text!r}"
            self.executor.spin_once(timeout_sec=0.05)
            with suppress(BlockingIOError):
                self.text += os.read(self.outside, 4096).decode()

    def press(self, key, condition, what):
        """Press `key`, again and again until something comes of it: discovery takes its time."""
        end, last = time.monotonic() + 40.0, 0.0
        while not condition():
            assert time.monotonic() < end, f"pressed {key!r}: no {what}; terminal: {self.text!r}"
            if time.monotonic() - last > 1.0:
                last = time.monotonic()
                os.write(self.outside, key.encode())
            with suppress(AssertionError):
                self.until(condition, what, seconds=0.3)

    def close(self):
        self.executor.remove_node(self.node)
        self.executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)
        self.process.terminate()
        return self.process.wait(30.0)


@pytest.fixture(scope="module")
def desk():
    desk = Desk()
    try:
        desk.until(lambda: "SPACE e-stop" in desk.text, "the legend")
        assert termios.tcgetattr(desk.inside)[3] & termios.ICANON == 0
        yield desk
    finally:
        code = desk.close()
    assert code == 0
    assert termios.tcgetattr(desk.inside) == desk.before, "the terminal is given back"
    os.close(desk.outside)
    os.close(desk.inside)


def test_space_is_the_estop(desk):
    desk.press(" ", lambda: desk.pressed, "e-stop")
    assert desk.pressed[0] is True


@pytest.mark.parametrize(("key", "service", "on"), KEYS)
def test_each_key_asks_for_its_service_and_shows_the_answer(desk, key, service, on):
    desk.text = ""
    desk.press(key, lambda: (service, on) in desk.asked, service)
    desk.until(lambda: f"{service} was asked" in desk.text, "the answer")


def test_jogging_starts_at_the_command_in_force_and_moves_one_joint(desk):
    desk.press("+", lambda: "jogging is off" in desk.text, "refusal")
    desk.asked.clear()
    home = load_embodiment().home
    now_ns = time.time_ns()
    message = target_message(Target("a", now_ns, (now_ns + 50_000_000,), home[None]))
    tries = itertools.count()

    def goes_on():
        """Give the robot to teleoperation, again where the command came after that."""
        desk.command.publish(message)
        progress = str(next(tries) // 20)
        desk.state.publish(HopState.ACTIVE, source=Source.TELEOP, arming_id="a", progress=progress)
        return desk.jogged

    for _ in range(20):  # somebody else has it: these keys keep off
        goes_on()
        desk.until(lambda: True, "a look")
    assert not desk.jogged
    desk.state.publish(HopState.ARMED, source=Source.NONE, arming_id="a")
    desk.press("j", lambda: (topics.SUPERVISOR_TELEOP, True) in desk.asked, "teleoperation")
    desk.until(goes_on, "a jog's target")
    at_rest = np.array(desk.jogged[-1].points[0].positions)
    np.testing.assert_array_equal(at_rest, home)
    os.write(desk.outside, b"+")
    moved = lambda: np.array(desk.jogged[-1].points[0].positions) - home  # noqa: E731
    desk.until(lambda: moved().any(), "a step")
    assert moved()[0] > 0.0
    assert not moved()[1:].any()
    assert desk.jogged[-1].header.frame_id == "a"


def test_without_a_terminal_it_says_so_and_ends():
    process = start(None)
    _, errors = process.communicate(timeout=60.0)
    assert process.returncode == 0
    assert "no terminal" in errors
