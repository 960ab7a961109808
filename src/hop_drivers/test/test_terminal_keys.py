"""The launch terminal's keys: read from the controlling terminal, which gets its settings back."""

import fcntl
import os
import pty
import subprocess
import sys
import termios
import time

import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402

from hop_core import topics  # noqa: E402
from hop_core.nodes.qos import reliable  # noqa: E402
from hop_core.nodes.runtime import make_executor  # noqa: E402

pytestmark = pytest.mark.ros
DOMAIN = "84"
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


def read_until(terminal, words, seconds):
    text, end = "", time.monotonic() + seconds
    os.set_blocking(terminal, False)
    while words not in text:
        assert time.monotonic() < end, f"no {words!r} in {text!r}"
        try:
            text += os.read(terminal, 4096).decode()
        except BlockingIOError:
            time.sleep(0.02)


def test_space_is_the_estop_and_the_terminal_is_given_back():
    outside, inside = pty.openpty()
    before = termios.tcgetattr(inside)
    process = start(inside)
    context = Context()
    rclpy.init(context=context, domain_id=int(DOMAIN))
    node = Node("listener", context=context)
    pressed = []
    node.create_subscription(Bool, topics.ESTOP, lambda m: pressed.append(m.data), reliable(10))
    executor = make_executor(context)
    executor.add_node(node)
    try:
        read_until(outside, "SPACE e-stop", 40.0)
        assert termios.tcgetattr(inside)[3] & termios.ICANON == 0
        end = time.monotonic() + 30.0
        while not pressed and time.monotonic() < end:
            os.write(outside, b" ")
            executor.spin_once(timeout_sec=0.3)
        assert pressed, "no e-stop arrived"
        assert pressed[0] is True
        os.write(outside, b"+")
        read_until(outside, "jogging is off", 20.0)
    finally:
        executor.remove_node(node)
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.shutdown(context=context)
        process.terminate()
        code = process.wait(30.0)
    assert code == 0
    assert termios.tcgetattr(inside) == before
    os.close(outside)
    os.close(inside)


def test_without_a_terminal_it_says_so_and_ends():
    process = start(None)
    _, errors = process.communicate(timeout=60.0)
    assert process.returncode == 0
    assert "no terminal" in errors
