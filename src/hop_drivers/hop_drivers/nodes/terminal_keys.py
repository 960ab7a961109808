"""Keys of the launch terminal: arm, e-stop, home, sources, jogging and recording."""

from __future__ import annotations

import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from hop_core import topics
from hop_core.embodiment import JOINT_NAMES, joint_index, load_embodiment
from hop_core.errors import ModelError
from hop_core.nodes.qos import NEWEST, reliable
from hop_core.nodes.runtime import HopNode, main_of
from hop_core.nodes.state_io import StateListener
from hop_core.realtime import Priority
from hop_core.state import Source
from hop_core.state_report import StateReport
from hop_drivers.jog import Jog
from hop_drivers.nodes.messages import target_message
from hop_drivers.target import Target

_TERMINAL = "/dev/tty"
_POLL_S = 0.1
LEGEND = """\
  SPACE e-stop    c clear e-stop   r recover   a arm   d disarm   h home
  p policy on/off   j jog on/off   [ ] joint   - + move   s step size   ? this help
  b begin to record an episode   y it succeeded   n it failed   x discard it"""


class TerminalKeys(HopNode):
    """Reads single keys from the controlling terminal and turns them into requests.

    Launch does not pass its own input on, so the terminal is opened by name. Without one the node
    says so and ends.
    """

    def __init__(self) -> None:
        super().__init__("terminal_keys")
        self._terminal = -1
        self._jog = Jog(load_embodiment())
        self._jogs = False  # whether these keys took the robot for teleoperation
        self._command: np.ndarray | None = None
        self._supervisor: StateReport | None = None
        self._estop = self.create_publisher(Bool, topics.ESTOP, reliable(10))
        self._teleop = self.create_publisher(JointTrajectory, topics.TELEOP_TARGET, NEWEST)
        self.create_subscription(JointTrajectory, topics.SAFE_TARGET, self._on_command, NEWEST)
        self._listener = StateListener(self, self._on_report)
        rate_hz = load_embodiment().rates.policy_hz
        self._due_ns = round(1e9 / rate_hz)
        self.create_timer(1.0 / rate_hz, self._send_jog)
        self._keys = self._key_table()
        try:
            self._terminal = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            self.get_logger().info("no terminal: keys are off; services and topics do the same")
            self.stop()
            return
        self._settings = termios.tcgetattr(self._terminal)
        tty.setcbreak(self._terminal)
        self._say("\n" + LEGEND)
        self._thread = threading.Thread(target=self._read, name="terminal-keys", daemon=True)
        self._thread.start()

    def _key_table(self) -> dict[str, Callable[[], None]]:
        triggers = {
            "a": topics.SUPERVISOR_ARM,
            "d": topics.SUPERVISOR_DISARM,
            "r": topics.SUPERVISOR_RECOVER,
            "h": topics.SUPERVISOR_HOME,
            "c": topics.SUPERVISOR_CLEAR_ESTOP,
            "b": topics.RECORDER_START,
            "x": topics.RECORDER_DISCARD,
        }
        ends = self.create_client(SetBool, topics.RECORDER_STOP)
        self._sources = {
            Source.POLICY: self.create_client(SetBool, topics.SUPERVISOR_POLICY),
            Source.TELEOP: self.create_client(SetBool, topics.SUPERVISOR_TELEOP),
        }
        keys: dict[str, Callable[[], None]] = {
            " ": self._press_estop,
            "p": lambda: self._toggle(Source.POLICY),
            "j": lambda: self._toggle(Source.TELEOP),
            "[": lambda: self._choose(-1),
            "]": lambda: self._choose(1),
            "-": lambda: self._move(-1),
            "+": lambda: self._move(1),
            "=": lambda: self._move(1),
            "s": self._resize,
            "y": partial(self._call, ends, SetBool.Request(data=True)),
            "n": partial(self._call, ends, SetBool.Request(data=False)),
            "?": lambda: self._say(LEGEND),
        }
        for key, service in triggers.items():
            client = self.create_client(Trigger, service)
            keys[key] = partial(self._call, client, Trigger.Request())
        return keys

    # The terminal.

    def _read(self) -> None:
        while not self.stopping.is_set():
            ready, _, _ = select.select([self._terminal], [], [], _POLL_S)
            if not ready:
                continue
            try:
                key = os.read(self._terminal, 1)
            except OSError:
                key = b""
            if not key:  # a closed terminal is always ready and never says anything
                self.get_logger().warning("the terminal was closed: keys are off")
                return
            action = self._keys.get(key.decode(errors="replace"))
            if action is None:
                continue
            try:
                action()
            except Exception as error:  # whatever it was, the e-stop is among the next keys
                self.get_logger().error(f"key {key!r} failed: {error!r}")

    def _say(self, text: str) -> None:
        with suppress(OSError):  # the terminal was closed; `_read` says so
            os.write(self._terminal, (text + "\n").encode())

    # Keys.

    def _press_estop(self) -> None:
        self._estop.publish(Bool(data=True))
        self._say("E-STOP")

    def _toggle(self, source: Source) -> None:
        has = self._supervisor is not None and self._supervisor.source == source
        jogs = source is Source.TELEOP and not has
        request = SetBool.Request(data=not has)
        self._call(self._sources[source], request, self._take_jog if jogs else None)

    def _take_jog(self) -> None:
        """Jog from now on: teleoperation was given to these keys, and to no other program."""
        self._jogs = True
        self._start_jog()

    def _start_jog(self) -> None:
        report = self._supervisor
        given = report is not None and report.source == Source.TELEOP and report.state.may_move
        if self._jogs and given and self._jog.q is None and self._command is not None:
            self._jog.start(self._command)

    def _choose(self, by: int) -> None:
        self._jog.choose(by)
        self._say(f"jog {self._jog.joint}")

    def _resize(self) -> None:
        self._jog.resize()
        self._say(f"jog step {self._jog.step_rad:g} rad")

    def _move(self, sign: int) -> None:
        if self._jog.q is None or self._command is None:
            self._say("jogging is off: press j")
            return
        self._jog.move(sign, self._command)

    def _call(self, client: Any, request: Any, then: Callable[[], None] | None = None) -> None:
        """Call a service; `then` is called where it did what was asked."""
        if not client.service_is_ready():
            self._say(f"{client.srv_name} is not there yet")
            return

        def answered(future: Any) -> None:
            response = future.result()
            self._say(response.message)
            if then is not None and response.success:
                then()

        client.call_async(request).add_done_callback(answered)

    # The graph.

    def _on_report(self, report: StateReport) -> None:
        if report.component != "supervisor":
            return
        before, self._supervisor = self._supervisor, report
        if report.source != Source.TELEOP and before and before.source == Source.TELEOP:
            self._jogs = False
        if report.source != Source.TELEOP or not report.state.may_move:
            self._jog.stop()
        self._start_jog()
        if self._terminal >= 0:
            what = report.reason or report.progress
            self._say(f"{report.state}" + (f": {what}" if what else ""))

    def _on_command(self, message: JointTrajectory) -> None:
        try:
            index = joint_index(message.joint_names, JOINT_NAMES)
        except ModelError as error:
            self.get_logger().error(str(error), once=True)
            return
        self._command = np.asarray(message.points[0].positions)[index]

    def _send_jog(self) -> None:
        if self._jog.q is None or self._supervisor is None:
            return
        now_ns = time.time_ns()
        arming_id, due_ns = self._supervisor.arming_id, (now_ns + self._due_ns,)
        self._teleop.publish(target_message(Target(arming_id, now_ns, due_ns, self._jog.q[None])))

    def close(self) -> None:
        """Give the terminal back as it was."""
        if getattr(self, "_terminal", -1) >= 0:
            self.stopping.set()
            self._thread.join(1.0)
            with suppress(termios.error):  # a closed terminal has no settings
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._settings)
            os.close(self._terminal)
            self._terminal = -1


main = main_of(TerminalKeys, Priority.SUPERVISOR)  # the e-stop is among the keys
