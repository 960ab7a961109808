"""Policy node and recorder node over real DDS, as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

rclpy = pytest.importorskip("rclpy")

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image, JointState  # noqa: E402
from std_msgs.msg import Int64MultiArray  # noqa: E402
from std_srvs.srv import SetBool, Trigger  # noqa: E402
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint  # noqa: E402

from hop_core import topics  # noqa: E402
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES, load_embodiment  # noqa: E402
from hop_core.errors import ConfigError  # noqa: E402
from hop_core.nodes.qos import STATE_PUBLISHER, STATE_SUBSCRIBER, STREAM  # noqa: E402
from hop_core.nodes.runtime import make_executor, to_ns, to_time  # noqa: E402
from hop_core.robot_config import load_robot  # noqa: E402
from hop_policy.bag_decode import decode_episode  # noqa: E402
from hop_policy.bag_reader import open_episode  # noqa: E402
from hop_policy.cameras import camera_poses  # noqa: E402
from hop_policy.contract import load_contract  # noqa: E402
from hop_policy.decode import stamp_ns, tick_stamps  # noqa: E402
from hop_policy.export import export_policy  # noqa: E402
from hop_policy.inference import Policy  # noqa: E402
from hop_policy.nodes import recorder_node  # noqa: E402
from hop_policy.observation import Observation  # noqa: E402
from hop_policy.policy_forms import FormName  # noqa: E402
from hop_policy.recorder_config import TopicConfig  # noqa: E402
from hop_policy.tick_replay import HISTORY_GAP_NS  # noqa: E402

pytestmark = [pytest.mark.ros, pytest.mark.timeout(240)]

DOMAIN = int(os.environ["HOP_TEST_DOMAIN"]) + 6
ARMING = "0123abcd"
HOME = load_embodiment().home
WIDTH, HEIGHT = 320, 180
SavePolicy = Callable[..., Path]


class FakeRobot:
    """Publishes the streams from its own thread; listens to what the nodes say."""

    def __init__(self) -> None:
        rclpy.init(domain_id=DOMAIN)
        self.node = rclpy.create_node("fake_robot")
        make = self.node.create_publisher
        self.arm = make(JointState, topics.ARM_STATES, STREAM)
        self.hand = make(JointState, topics.HAND_STATES, STREAM)
        self.depth = make(Image, topics.DEPTH, STREAM)
        self.info = make(CameraInfo, topics.CAMERA_INFO, STREAM)
        self.safe = make(JointTrajectory, topics.SAFE_TARGET, STREAM)
        self.state = make(DiagnosticStatus, topics.STATE, STATE_PUBLISHER)
        self.targets: list[JointTrajectory] = []
        self.ticks: list[Int64MultiArray] = []
        self.said: list[tuple[str, str, dict[str, str]]] = []  # (component, reason, values)
        subscribe = self.node.create_subscription
        self.subscriptions = [
            subscribe(JointTrajectory, topics.POLICY_TARGET, self._on_target, STREAM),
            subscribe(Int64MultiArray, topics.TICK, self.ticks.append, STREAM),
            subscribe(DiagnosticStatus, topics.STATE, self._on_state, STATE_SUBSCRIBER),
        ]
        self.with_depth = True
        self.focal_px = 132.0
        self.rng = np.random.default_rng(0)
        self.running = True
        self.threads = [threading.Thread(target=run) for run in (self._publish, self._spin)]
        for thread in self.threads:
            thread.start()

    def arm_robot(self) -> None:
        """Speak as the supervisor that has just armed."""
        values = {"state": "ACTIVE", "source": "policy", "arming_id": ARMING}
        pairs = [KeyValue(key=key, value=value) for key, value in values.items()]
        self.state.publish(DiagnosticStatus(name="supervisor", values=pairs))

    def wait(self, condition, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not reached; said: {self.said[-5:]}"
            time.sleep(0.02)

    def values(self, component: str) -> dict[str, str]:
        """Newest state of a component."""
        found = [values for name, _, values in self.said if name == component]
        return found[-1] if found else {}

    def call(self, kind, name: str, **fields):
        client = self.node.create_client(kind, name)
        assert client.wait_for_service(60.0)
        answers = []
        client.call_async(kind.Request(**fields)).add_done_callback(
            lambda future: answers.append(future.result())
        )
        self.wait(lambda: answers)
        return answers[0]

    def close(self) -> None:
        self.running = False
        for thread in self.threads:
            thread.join(30.0)
        self.node.destroy_node()
        rclpy.shutdown()

    def _on_target(self, message: JointTrajectory) -> None:
        """Accept it as the supervisor would."""
        self.targets.append(message)
        self.safe.publish(message)

    def _on_state(self, message: DiagnosticStatus) -> None:
        values = {item.key: item.value for item in message.values}
        self.said.append((message.name, message.message, values))

    def _joints(self, names, home) -> JointState:
        message = JointState(name=list(names))
        message.position = (home + self.rng.normal(0, 0.05, len(names))).tolist()
        message.velocity = message.effort = [0.0] * len(names)
        message.header.stamp = to_time(time.time_ns())
        return message

    def _publish(self) -> None:
        while self.running:
            self.arm.publish(self._joints(ARM_JOINTS, HOME[:7]))
            self.hand.publish(self._joints(HAND_JOINTS, HOME[7:]))
            if self.with_depth:
                image = Image(height=HEIGHT, width=WIDTH, encoding="16UC1", step=2 * WIDTH)
                pixels = self.rng.integers(0, 1500, (HEIGHT, WIDTH), dtype=np.uint16)
                image.data = pixels.tobytes()
                image.header.stamp = to_time(time.time_ns())
                info = CameraInfo(height=HEIGHT, width=WIDTH, header=image.header)
                info.k = [self.focal_px, 0.0, 159.5, 0.0, self.focal_px, 89.5, 0.0, 0.0, 1.0]
                self.info.publish(info)
                self.depth.publish(image)
            time.sleep(0.025)

    def _spin(self) -> None:
        executor = make_executor()
        executor.add_node(self.node)
        while self.running:
            executor.spin_once(timeout_sec=0.1)
        executor.remove_node(self.node)


@pytest.fixture
def robot() -> Iterator[FakeRobot]:
    fake = FakeRobot()
    yield fake
    fake.close()


class NodeProcess:
    """One node as a process; always ended."""

    def __init__(self, name: str, **parameters: object) -> None:
        arguments = [f"-p {key}:={value}".split(" ", 1) for key, value in parameters.items()]
        self.process = subprocess.Popen(
            [
                sys.executable,
                *("-m", f"hop_policy.nodes.{name}", "--ros-args"),
                *[part for pair in arguments for part in pair],
            ],
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(sys.path), "ROS_DOMAIN_ID": str(DOMAIN)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Send a signal; return exit code and output."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=60)
        return self.process.returncode, output

    def __enter__(self) -> "NodeProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate(timeout=10)


def saved(robot: FakeRobot) -> bool:
    return robot.values("recorder").get("progress", "").startswith("saved")


@pytest.mark.parametrize("form", ["eager", pytest.param("exported", marks=pytest.mark.slow)])
def test_recorded_run_replays_to_the_same_targets(
    save_policy: SavePolicy, robot: FakeRobot, tmp_path: Path, form: FormName
) -> None:
    """Live node -> bag -> dataset -> the same network gives the recorded targets, bit for bit."""
    contract = load_contract()
    checkpoint = save_policy(tmp_path / "policy", contract)
    if form == "exported":
        export_policy(checkpoint)
    report = tmp_path / "report.json"
    with (
        NodeProcess("recorder_node", root=tmp_path, task="toy") as recorder,
        NodeProcess("policy_node", policy=checkpoint, report=report) as policy,
    ):
        robot.wait(lambda: robot.values("policy").get("progress") == "ready")
        robot.arm_robot()
        assert robot.call(Trigger, topics.RECORDER_START).success
        again = robot.call(Trigger, topics.RECORDER_START)
        assert not again.success
        assert "is being recorded" in again.message
        assert robot.call(Trigger, topics.POLICY_START).success
        robot.wait(lambda: len(robot.targets) >= 50)
        assert robot.call(Trigger, topics.POLICY_STOP).success
        assert robot.call(SetBool, topics.RECORDER_STOP, data=True).success
        robot.wait(lambda: saved(robot))
        code, output = policy.end()
        assert code == 0
        assert "does not say where the camera stood that it learnt from" in output
        assert recorder.end(signal.SIGTERM)[0] == 0
    bag = open_episode(next((tmp_path / "toy").glob("2*")))
    assert (bag.label, bag.info.contract_hash) == ("success", contract.hash)
    bag.require([topics.ROBOT_DESCRIPTION, topics.TF_STATIC, topics.STATE])
    assert json.loads(report.read_text())["targets"] >= 40

    decoded = decode_episode(bag, contract)
    network, sent = Policy.load(checkpoint, contract, form=form), recorded_targets(bag)
    torch.set_num_threads(1)
    order = {tick_ns: index for index, tick_ns in enumerate(sent)}
    compared = steps = 0
    last_ns, last_index = 0, -1
    for row, tick_ns in enumerate(decoded.ticks_ns.tolist()):
        if tick_ns - last_ns > HISTORY_GAP_NS:
            network.reset()
        observation = Observation(decoded.proprio[row : row + 1], decoded.vision[row : row + 1])
        target = network.act(observation)[0]
        # A tick that the data leaves out was in the live policy's history for `context` steps.
        steps = steps + 1 if order[tick_ns] == last_index + 1 else 0
        if steps >= network.model.config.context:
            assert np.array_equal(target, sent[tick_ns])
            compared += 1
        last_ns, last_index = tick_ns, order[tick_ns]
    assert compared >= 5  # 46 where no tick lacked data


def recorded_targets(bag) -> dict[int, np.ndarray]:
    messages = bag.messages([topics.POLICY_TARGET])
    return {stamp_ns(m.header): np.array(m.points[0].positions) for _, _, m in messages}


def test_policy_sends_targets_and_says_what_it_refuses(robot: FakeRobot) -> None:
    with NodeProcess("policy_node", policy="untrained", auto_start=True) as policy:
        robot.wait(lambda: robot.values("policy").get("state") == "ACTIVE")
        robot.arm_robot()
        robot.wait(lambda: any(t.header.frame_id == ARMING for t in robot.targets))
        robot.wait(lambda: robot.ticks)
        target, tick = robot.targets[-1], tick_stamps(robot.ticks[-1])
        assert target.joint_names == list(JOINT_NAMES)
        assert [p.time_from_start.nanosec for p in target.points] == [50_000_000]
        robot.wait(lambda: tick["tick"] in {to_ns(t.header.stamp) for t in robot.targets})
        assert {s: (tick["tick"] - tick[s]) // 10**6 >= lag for s, lag in lags().items()} == {
            "depth": True,
            "arm": True,
            "hand": True,
        }
        robot.with_depth = False
        robot.wait(lambda: robot.values("policy").get("state") == "HOLD")
        reason = [r for name, r, _ in robot.said if name == "policy"][-1]
        assert reason.startswith("depth: ")
        robot.with_depth = True
        robot.wait(lambda: robot.values("policy").get("state") == "ACTIVE")
        code, output = policy.end(signal.SIGTERM)
    assert code == 0
    assert "tick_to_target_p99_ms" in output


def test_a_camera_that_loses_the_policys_view_is_a_fault(robot: FakeRobot) -> None:
    with NodeProcess("policy_node", policy="untrained", auto_start=True) as policy:
        robot.wait(lambda: robot.values("policy").get("state") == "ACTIVE")
        robot.wait(lambda: robot.ticks)
        robot.focal_px = 2.0 * WIDTH
        robot.wait(lambda: robot.values("policy").get("state") == "FAULT")
        time.sleep(0.2)
        assert policy.process.poll() is None
        assert "does not fit into the camera's" in robot.said[-1][1]
        code, _ = policy.end(signal.SIGTERM)
    assert code == 0


def test_an_episode_that_ends_late_is_told_beside_the_next_one(
    robot: FakeRobot, tmp_path: Path
) -> None:
    with NodeProcess("recorder_node", root=tmp_path, task="toy") as recorder:
        assert robot.call(Trigger, topics.RECORDER_START).success
        time.sleep(0.5)
        assert robot.call(SetBool, topics.RECORDER_STOP, data=True).success
        assert robot.call(Trigger, topics.RECORDER_START).success
        robot.wait(lambda: "saved" in str([(reason, v) for _, reason, v in robot.said]))
        time.sleep(0.2)
        assert robot.values("recorder").get("state") == "ACTIVE"
        recorder.end()


def test_a_topic_whose_messages_are_not_installed_is_named() -> None:
    topic = TopicConfig(name="/new", type="sensor_msgs/msg/Odour")
    with pytest.raises(ConfigError, match=r"/new: sensor_msgs/msg/Odour is not installed"):
        recorder_node._message_class(topic)


def lags() -> dict[str, int]:
    contract = load_contract()
    joint = contract.joint_stream.lag_ms
    return {"depth": contract.depth_stream.lag_ms, "arm": joint, "hand": joint}


def test_checkpoint_of_another_contract_is_refused(save_policy: SavePolicy, tmp_path: Path) -> None:
    other = load_contract().model_copy(update={"policy_hz": 10.0})
    checkpoint = save_policy(tmp_path / "policy", other)
    with NodeProcess("policy_node", policy=checkpoint) as policy:
        output, _ = policy.process.communicate(timeout=100)
    assert policy.process.returncode == 1
    assert "policy_hz is 10.0 there and 20.0 here" in output


def test_a_checkpoint_that_learnt_from_another_place_of_the_camera_is_refused(
    save_policy: SavePolicy,
    tmp_path: Path,
) -> None:
    camera = load_robot("twin").camera
    x, y, z = camera.position_m
    elsewhere = camera.model_copy(update={"position_m": (x, y, z + 0.2)})
    cameras = camera_poses([elsewhere.T_base_cam])
    checkpoint = save_policy(tmp_path / "policy", cameras=cameras)
    with NodeProcess("policy_node", policy=checkpoint) as policy:
        output, _ = policy.process.communicate(timeout=100)
    assert policy.process.returncode == 1
    assert "20.0 cm and 0.0 deg away" in output


def test_an_exported_form_that_is_not_there_is_told(
    save_policy: SavePolicy, tmp_path: Path
) -> None:
    checkpoint = save_policy(tmp_path / "policy")
    for form, told in (("exported", "policy.onnx is missing"), ("quick", "the parameter form is")):
        with NodeProcess("policy_node", policy=checkpoint, form=form) as policy:
            output, _ = policy.process.communicate(timeout=100)
        assert policy.process.returncode == 1
        assert told in output
        assert "Traceback" not in output


def test_a_policy_node_without_a_policy_says_so() -> None:
    with NodeProcess("policy_node") as policy:
        output, _ = policy.process.communicate(timeout=100)
    assert policy.process.returncode == 1
    assert "which policy?" in output
    assert "Traceback" not in output


def test_interrupted_recorder_completes_its_bag(robot: FakeRobot, tmp_path: Path) -> None:
    home = JointTrajectory(joint_names=list(JOINT_NAMES))
    home.points = [JointTrajectoryPoint(positions=HOME)]
    with NodeProcess("recorder_node", root=tmp_path, task="toy", record=True) as recorder:
        robot.wait(lambda: robot.values("recorder").get("state") == "ACTIVE")
        robot.wait(lambda: robot.safe.get_subscription_count() > 0)
        for _ in range(10):
            robot.safe.publish(home)
            time.sleep(0.1)
        code, output = recorder.end(signal.SIGINT)
    assert code == 0, output
    bag = open_episode(next((tmp_path / "toy").glob("2*")))
    assert bag.label == "unlabelled"
    assert bag.reason == "the recorder was ended"
    assert not bag.rates_ok  # 40 Hz of arm states are no 120
    targets = [target for _, _, target in bag.messages([topics.SAFE_TARGET])]
    assert targets
    assert all(np.array_equal(target.points[0].positions, HOME) for target in targets)


def test_discarded_episode_is_kept_under_its_label(robot: FakeRobot, tmp_path: Path) -> None:
    with NodeProcess("recorder_node", root=tmp_path, task="toy", episode="e1") as recorder:
        assert not robot.call(Trigger, topics.RECORDER_DISCARD).success
        assert robot.call(Trigger, topics.RECORDER_START).success
        time.sleep(0.5)
        assert robot.call(Trigger, topics.RECORDER_DISCARD).success
        robot.wait(lambda: saved(robot))
        second = robot.call(Trigger, topics.RECORDER_START)
        assert not second.success
        assert "exists already" in second.message
        recorder.end()
    assert open_episode(tmp_path / "toy" / "e1").label == "discarded"
