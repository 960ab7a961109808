"""The nodes on real DDS against the twin: arming, home, faults, e-stop, a second launch."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

rclpy = pytest.importorskip("rclpy")

from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from std_msgs.msg import Bool  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402
from trajectory_msgs.msg import JointTrajectory  # noqa: E402

from hop_core import topics  # noqa: E402
from hop_core.config import config_path  # noqa: E402
from hop_core.nodes.qos import NEWEST, STREAM, reliable  # noqa: E402
from hop_core.nodes.runtime import make_executor  # noqa: E402
from hop_core.nodes.state_io import StateListener  # noqa: E402
from hop_core.realtime import Priority, probe  # noqa: E402
from hop_core.state import HopState  # noqa: E402
from hop_drivers.nodes.messages import target_message  # noqa: E402
from hop_drivers.target import Target  # noqa: E402
from hop_drivers.xarm_codes import STATE_STOPPED  # noqa: E402

pytestmark = pytest.mark.ros
ADDRESS = f"{os.environ['HOP_TEST_NET']}.63"
DOMAIN, OTHER_DOMAIN = (str(int(os.environ["HOP_TEST_DOMAIN"]) + k) for k in (0, 1))
NODES = {
    "zed": Priority.CAMERA,
    "xarm": Priority.ARM,
    "allegro": Priority.HAND,
    "supervisor": Priority.SUPERVISOR,
}
"""Names of the nodes, and how they are scheduled."""
PATIENT = {
    "safety.yaml": {"feedback_fault_s": 5.0, "hold_disarm_s": 10.0},
    "robots/twin.yaml": {"silence_s": 2.0, "reply_timeout_s": 1.0},
}
"""Longer waits than ours: a loaded machine stalls whole processes."""


def environment():
    return {**os.environ, "ROS_DOMAIN_ID": DOMAIN, "PYTHONPATH": os.pathsep.join(sys.path)}


def patient_config(folder):
    """Copy the configuration to `folder` with the values of PATIENT; return the folder."""
    shutil.copytree(config_path("safety.yaml").parent, folder)
    for name, values in PATIENT.items():
        text = (folder / name).read_text()
        for key, value in values.items():
            text, count = re.subn(rf"\b{key}: [\d.]+", f"{key}: {value}", text)
            assert count > 0, f"{name} has no {key}"
        (folder / name).write_text(text)
    return folder


def start(name, *parameters, stderr=subprocess.PIPE, domain=DOMAIN, address=ADDRESS):
    code = f"from hop_drivers.nodes.{name}_node import main; main()"
    command = [sys.executable, "-c", code, "--ros-args"]
    for argument in (*([f"twin_address:={address}"] if address else ()), *parameters):
        command += ["-p", argument]
    env = {**environment(), "ROS_DOMAIN_ID": domain}
    return subprocess.Popen(command, env=env, stderr=stderr, text=True)


def refusal_of(process):
    """Return what a process says that ends by itself; it must be a sentence, and an exit of 1."""
    try:
        _, errors = process.communicate(timeout=60.0)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "Traceback" not in errors
    return errors


class Operator:
    """A node that sees the states and presses the buttons."""

    def __init__(self):
        self.context = Context()
        rclpy.init(context=self.context, domain_id=int(DOMAIN))
        self.node = Node("operator", context=self.context)
        self.executor = make_executor(self.context)
        self.executor.add_node(self.node)
        self.states = []
        self.listener = StateListener(self.node, self._note)
        self.estop = self.node.create_publisher(Bool, topics.ESTOP, reliable(10))
        self.policy = self.node.create_publisher(JointTrajectory, topics.POLICY_TARGET, STREAM)
        self.command = None
        self.node.create_subscription(JointTrajectory, topics.SAFE_TARGET, self._keep, NEWEST)
        self.clients = {}

    def _note(self, report):
        if report.component == "supervisor":
            self.states.append(report.state)

    def _keep(self, message):
        self.command = np.array(message.points[0].positions)

    def spin(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.executor.spin_once(timeout_sec=0.02)

    def until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s for {what}; supervisor: {self.view}"
            self.executor.spin_once(timeout_sec=0.02)

    @property
    def view(self):
        return self.listener.get("supervisor")

    def wait(self, state, seconds=40.0):
        self.until(lambda: self.view is not None and self.view.state is state, seconds, state)

    def call(self, name, on=None):
        kind = Trigger if on is None else SetBool
        if name not in self.clients:
            self.clients[name] = self.node.create_client(kind, name)
        client = self.clients[name]
        self.until(client.service_is_ready, 30.0, name)
        future = client.call_async(Trigger.Request() if on is None else SetBool.Request(data=on))
        self.until(future.done, 30.0, f"{name}'s answer")
        return future.result()

    def send(self, q, condition, what, seconds=40.0):
        """Send targets as a policy until `condition()` is true."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"sent targets for {seconds} s without {what}"
            now = time.time_ns()
            target = Target(self.view.arming_id, now, (now + 50_000_000,), q[None])
            self.policy.publish(target_message(target))
            self.spin(0.05)

    def arm(self):
        self.wait(HopState.IDLE)
        self.until(lambda: self.call(topics.SUPERVISOR_ARM).success, 40.0, "arming")
        self.wait(HopState.ARMED)
        self.until(lambda: self.command is not None, 20.0, "a command")

    def close(self):
        self.executor.remove_node(self.node)
        self.executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@pytest.fixture(scope="module")
def graph(twin, tmp_path_factory):
    folder = tmp_path_factory.mktemp("incidents")
    config = f"config_dir:={patient_config(tmp_path_factory.mktemp('config') / 'config')}"
    incidents = {"supervisor": (f"incident_dir:={folder}",)}
    logs = tmp_path_factory.mktemp("logs")
    running = {}
    for name in NODES:
        with (logs / name).open("w") as log:
            running[name] = start(name, config, *incidents.get(name, ()), stderr=log)
    operator = Operator()
    try:
        operator.wait(HopState.IDLE)
        assert all(process.poll() is None for process in running.values())
        yield operator, twin, folder, running
    finally:
        operator.close()
        for process in running.values():
            process.terminate()
        codes = {name: process.wait(30.0) for name, process in running.items()}
    said = {name: (logs / name).read_text()[-2000:] for name, code in codes.items() if code}
    assert not said, f"ended with {codes}"


@pytest.fixture
def operator(graph):
    operator, twin, *_ = graph
    twin.clear()
    yield operator
    twin.clear()
    operator.spin(0.2)
    if operator.view.state is HopState.ESTOP:
        operator.call(topics.SUPERVISOR_CLEAR_ESTOP)
    if operator.view.state is HopState.FAULT:
        operator.call(topics.SUPERVISOR_RECOVER)
    operator.call(topics.SUPERVISOR_DISARM)
    operator.wait(HopState.IDLE)


def test_a_policy_moves_the_robot_and_home_takes_it_back(operator):
    operator.arm()
    start_q = operator.command.copy()
    assert operator.call(topics.SUPERVISOR_POLICY, True).success
    goal = start_q.copy()
    goal[0] += 0.15

    def reached():
        return (
            np.abs(operator.command - goal).max() < 1e-3
            and operator.view.state is HopState.ACTIVE
            and operator.listener.get("xarm").state is HopState.ACTIVE
        )

    operator.send(goal, reached, "reaching the goal")
    operator.wait(HopState.HOLD)
    assert operator.call(topics.SUPERVISOR_HOME).success
    operator.until(lambda: operator.view.progress == "home reached", 40.0, "home")


@pytest.mark.skipif(
    probe(max(Priority)).priority is None,
    reason="real-time scheduling is not permitted: see hop doctor",
)
def test_all_threads_of_a_node_and_the_loaded_guard_are_scheduled_as_they_ask(graph, operator):
    *_, running = graph
    operator.arm()  # starts the guard
    (guard,) = psutil.Process(running["allegro"].pid).children()
    loaded = lambda: os.sched_getscheduler(guard.pid) == os.SCHED_RR  # noqa: E731
    operator.until(loaded, 10.0, "the guard's priority")
    for name, process in running.items():
        tasks = [int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir()]
        # The renderer's shader cache writes to disk in a thread of SCHED_BATCH, its own choice.
        threads = [task for task in tasks if os.sched_getscheduler(task) != os.SCHED_BATCH]
        assert len(threads) > 3
        assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_RR}, name
        assert {os.sched_getparam(thread).sched_priority for thread in threads} == {NODES[name]}


def test_an_arm_error_is_a_fault_with_its_reason_an_incident_and_a_way_back(graph, operator):
    _, twin, folder, _ = graph
    operator.arm()
    before = set(folder.glob("*/incident.json"))
    twin.inject("arm_error", code=31)
    operator.wait(HopState.FAULT)
    assert "C31" in operator.view.reason
    new = lambda: set(folder.glob("*/incident.json")) - before  # noqa: E731
    operator.until(new, 30.0, "an incident")
    (incident,) = new()
    assert json.loads(incident.read_text())["reason"] == operator.view.reason
    assert operator.call(topics.SUPERVISOR_RECOVER).success
    operator.wait(HopState.IDLE)
    assert operator.view.arming_id == ""


def test_a_camera_that_is_unplugged_is_a_fault(graph, operator):
    operator.arm()
    graph[1].inject("camera_unplug")
    operator.wait(HopState.FAULT)
    assert operator.view.reason.startswith("zed")


def test_an_estop_stops_everything_and_its_release_does_not_arm(graph, operator):
    devices = lambda: graph[1].state()["devices"]  # noqa: E731
    operator.arm()
    operator.until(lambda: devices()["hand"]["servo"], 20.0, "torque")
    operator.estop.publish(Bool(data=True))
    operator.wait(HopState.ESTOP)
    for name in ("xarm", "allegro"):
        operator.until(lambda n=name: operator.listener.get(n).state is HopState.ESTOP, 30.0, name)
    operator.until(lambda: devices()["arm"]["state"] == STATE_STOPPED, 20.0, "the box to stop")
    operator.until(lambda: not devices()["hand"]["servo"], 20.0, "no torque")
    assert not operator.call(topics.SUPERVISOR_ARM).success
    assert operator.call(topics.SUPERVISOR_CLEAR_ESTOP).success
    for name in ("xarm", "allegro"):
        operator.until(lambda n=name: operator.listener.get(n).state is HopState.IDLE, 30.0, name)
    seen = len(operator.states)
    operator.spin(0.6)
    assert not any(state.may_move for state in operator.states[seen:])
    assert operator.view.state is HopState.IDLE


def test_a_second_supervisor_and_a_second_driver_say_one_sentence_and_end(operator):
    for name, words in (
        ("supervisor", "a supervisor of ROS domain"),
        ("xarm", "a driver of the arm"),
    ):
        assert words in refusal_of(start(name))
    assert operator.view.state is HopState.IDLE


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ("speed_scale:=1.5", "speed_scale must be above 0"),
        ("speed_scale:=fast", "speed_scale must be above 0"),
        ("execute:=1", "a parameter is wrong: "),
        ("robot:=nowhere", "no configuration 'robots/nowhere.yaml'"),
    ],
)
def test_bad_parameters_get_one_sentence(parameter, words):
    assert words in refusal_of(start("supervisor", parameter))


def test_a_real_robot_never_arms_by_itself():
    process = start("supervisor", "robot:=example_lab", "auto_arm:=true", address="")
    assert "auto_arm is for the twin only; robot 'example_lab' is real" in refusal_of(process)


def test_a_supervisor_beside_one_on_another_machine_ends():
    """There is no lock to see it by: what it publishes tells."""
    context = Context()
    rclpy.init(context=context, domain_id=int(OTHER_DOMAIN))
    node = Node("supervisor_elsewhere", context=context)
    node.create_publisher(JointTrajectory, topics.SAFE_TARGET, NEWEST)
    try:
        told = refusal_of(start("supervisor", domain=OTHER_DOMAIN))
    finally:
        node.destroy_node()
        rclpy.shutdown(context=context)
    assert f"a supervisor publishes {topics.SAFE_TARGET}" in told
