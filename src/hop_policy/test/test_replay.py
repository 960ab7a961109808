"""A bag through the real policy node: equal to the bit, or it is said what differs."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from hop_core import topics
from hop_core.embodiment import JOINT_NAMES
from hop_core.errors import BagError, CheckpointError, ConfigError, DeviceError, HopError
from hop_core.robot_config import CameraPose
from hop_policy import messages, replay_cli
from hop_policy.bag_decode import BagContent, observations_at, read_content
from hop_policy.bag_reader import EpisodeBag, open_episode
from hop_policy.contract import load_contract
from hop_policy.decode import JointReader
from hop_policy.inference import Policy
from hop_policy.label_rule import TargetTimeline
from hop_policy.observation import Observation
from hop_policy.policy_process import loopback, own_domain
from hop_policy.replay_verdict import (
    Allowed,
    NodeTick,
    Verdict,
    judge_replay,
    played_arrivals,
    reference_ticks,
)
from hop_policy.tick_replay import TickChoices

MS = 1_000_000
SavePolicy = Callable[..., Path]
TICKS = 40
DOMAIN = int(os.environ["HOP_TEST_DOMAIN"]) + 7


ELSEWHERE = CameraPose(position_m=(0.0, 2.0, 1.0), quaternion_wxyz=(1.0, 0.0, 0.0, 0.0))
"""Where this machine's robot has its camera does not matter to a replay."""


@pytest.fixture
def checkpoint(save_policy: SavePolicy, tmp_path: Path) -> Path:
    return save_policy(tmp_path / "policy", cameras=(ELSEWHERE,))


@pytest.fixture
def bag(tmp_path: Path, checkpoint: Path, toy_stream) -> EpisodeBag:
    """A toy robot, and what the checkpoint answered while it was recorded."""
    contract, toy = load_contract(), toy_stream(ticks=TICKS)
    live, network = toy.run_live(contract), Policy.load(checkpoint)
    for seen in live:
        q = network.act(seen.observation)[0]
        target = messages.joint_trajectory(JOINT_NAMES, q, seen.tick_ns, "abcd")
        toy.events.append((seen.tick_ns + 5 * MS, topics.POLICY_TARGET, target))
    return open_episode(
        toy.record(tmp_path / "bags", live, source="policy", contract_hash=contract.hash)
    )


class Node:
    """What a node that does everything right would have answered."""

    def __init__(self, bag: EpisodeBag, checkpoint: Path) -> None:
        self.bag, self.policy = bag, Policy.load(checkpoint)
        contract = self.policy.contract
        self.content = read_content(bag, contract)
        self.choices = reference_ticks(bag, contract, self.content)
        self.played = played_arrivals(self.content, contract, self.choices, 0)
        seen = observations_at(bag, contract, self.content, self.choices.stamps)
        self.ticks = []
        for row, stamps in enumerate(self.choices.stamps):
            one = slice(row, row + 1)
            q = self.policy.act(Observation(seen.proprio[one], seen.vision[one]))[0]
            self.ticks.append(NodeTick(self.choices.ticks_ns[row], stamps, q))

    def judge(self, refused: list[int] | None = None, **allowed: float) -> Verdict:
        return judge_replay(
            self.bag,
            self.policy,
            self.content,
            self.played,
            self.ticks,
            refused or [],
            {},
            0.0,
            replace(Allowed(), **allowed),
        )


def test_a_node_that_does_what_the_recording_says_passes(bag: EpisodeBag, checkpoint: Path) -> None:
    verdict = Node(bag, checkpoint).judge()
    assert (verdict.ticks, verdict.answered, verdict.as_recorded) == (TICKS, TICKS, TICKS)
    assert (verdict.missed, verdict.refused, verdict.other_ticks) == (0, 0, 0)
    assert verdict.offline_rad.max() == 0.0
    assert verdict.recorded_rad is not None
    assert verdict.recorded_rad.max() == 0.0
    assert verdict.recorded == "the recorded policy's targets"
    assert verdict.problem == ""


def test_samples_are_sent_when_the_recorded_node_had_them_not_when_the_recorder_had() -> None:
    """Ticks at 0.1 and 0.15 s. The recorder had the first image late; the node the second one."""
    tick, depth, spare = 100 * MS, 60 * MS, 10 * MS
    used = {"depth": depth, "arm": tick - spare, "hand": tick - spare}
    later = used | {"arm": tick + 40 * MS, "hand": tick + 40 * MS}
    reference = TickChoices([tick, tick + 50 * MS], [used, later])
    arrivals = [
        (tick - 9 * MS, "arm", tick - spare),
        (tick - 9 * MS, "hand", tick - spare),
        (tick + 41 * MS, "arm", tick + 40 * MS),
        (tick + 41 * MS, "hand", tick + 40 * MS),
        (tick + 45 * MS, "depth", depth + 33 * MS),  # before the second tick, which did not have it
        (tick + 900 * MS, "depth", depth),
        (tick + 901 * MS, "depth", depth - 33 * MS),  # older than what the first tick used
    ]
    content = BagContent(TargetTimeline(JointReader(JOINT_NAMES)), arrivals, {}, [])
    played = played_arrivals(content, load_contract(), reference, 20 * MS)
    assert {(stream, stamp): due for due, stream, stamp in played} == {
        ("arm", tick - spare): tick - 29 * MS,
        ("hand", tick - spare): tick - 29 * MS,
        ("depth", depth): tick - 20 * MS,
        ("arm", tick + 40 * MS): tick + 21 * MS,
        ("hand", tick + 40 * MS): tick + 21 * MS,
        ("depth", depth + 33 * MS): tick + 55 * MS,
    }


def test_a_recorder_that_was_late_does_not_matter(
    tmp_path: Path, checkpoint: Path, toy_stream
) -> None:
    contract, toy = load_contract(), toy_stream()
    live = toy.run_live(contract)
    toy.events = [
        (received + 700 * MS * (topic == topics.DEPTH), topic, message)
        for received, topic, message in toy.events
    ]
    path = toy.record(tmp_path / "late", live, source="policy", contract_hash=contract.hash)
    verdict = Node(open_episode(path), checkpoint).judge()
    assert (verdict.other_ticks, verdict.as_recorded, verdict.problem) == (0, 20, "")
    assert verdict.recorded_rad is None  # its targets were not recorded


def test_ticks_left_out_are_missed_or_refused(bag: EpisodeBag, checkpoint: Path) -> None:
    node = Node(bag, checkpoint)
    gone = [tick.tick_ns for tick in node.ticks[-3:]]
    node.ticks = node.ticks[:-3]
    verdict = node.judge(refused=gone[:1])
    assert (verdict.answered, verdict.missed, verdict.refused) == (TICKS - 3, 2, 1)
    assert "7.5% of 40 ticks differ (2 missed, 1 refused, 0 with other" in verdict.problem
    assert node.judge(refused=gone[:1], ticks=0.08).problem == ""
    node.ticks = []
    assert node.judge().problem == "the node answered no tick"


def test_another_sample_is_noticed_by_stream(bag: EpisodeBag, checkpoint: Path) -> None:
    """The node used the arm's sample of the tick before: its own fault, not the network's."""
    node = Node(bag, checkpoint)
    late = replace(
        node.ticks[-1], stamps={**node.ticks[-1].stamps, "arm": node.ticks[-2].stamps["arm"]}
    )
    seen = observations_at(bag, node.policy.contract, node.content, [late.stamps])
    node.ticks[-1] = late
    verdict = node.judge(ticks=0.03)
    assert dict(verdict.other_samples) == {"arm": 1}
    assert (verdict.other_ticks, verdict.as_recorded) == (1, TICKS - 1)
    assert seen.proprio.shape == (1, 23)
    assert "targets differ by up to" in verdict.problem  # it did not compute from what it named


def test_a_target_that_differs_is_told_with_its_size(bag: EpisodeBag, checkpoint: Path) -> None:
    node = Node(bag, checkpoint)
    node.ticks[5] = replace(node.ticks[5], target=node.ticks[5].target + 1e-3 * np.eye(23)[9])
    verdict = node.judge()
    assert verdict.offline_rad == pytest.approx(1e-3 * np.eye(23)[9])
    assert "differ by up to 0.001 rad from those of the same network offline" in verdict.problem
    assert node.judge(target_rad=2e-3).problem == ""


def test_bytes_of_a_message_change_only_in_their_stamp() -> None:
    q = np.arange(7.0)
    message = messages.joint_state([f"j{i}" for i in range(7)], q, q, q, 1_700_000_000 * 10**9 + 5)
    cdr = messages.serialize(message)
    moved = messages.restamped(cdr, -6)
    assert messages.header_stamp_ns(moved) == 1_699_999_999 * 10**9 + 999_999_999
    assert messages.restamped(moved, 6) == cdr
    assert messages.deserialize(moved, messages.JOINT_STATE).position.tolist() == q.tolist()


def test_the_domain_and_the_network_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for mine in ("0", "42", "99"):
        monkeypatch.setenv("ROS_DOMAIN_ID", mine)
        assert own_domain() != int(mine)
        assert 0 <= own_domain() < 100
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/etc/lan.xml")
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "SUBNET")
    with loopback(7):
        assert os.environ["ROS_DOMAIN_ID"] == "7"
        assert os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
        assert "127.0.0.1" in Path(os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"]).read_text()
    assert os.environ["FASTRTPS_DEFAULT_PROFILES_FILE"] == "/etc/lan.xml"


@pytest.mark.parametrize(
    ("damage", "error", "sentence"),
    [
        ("no folder", BagError, "there are no demonstrations in"),
        ("empty folder", BagError, "holds 0 bags"),
        ("cut short", BagError, "cannot be read"),
        ("another contract", BagError, r"another contract \(another, here \w+\); replay it"),
        ("narrow camera", ConfigError, "crop"),
        ("no checkpoint", CheckpointError, "is no policy checkpoint"),
        ("other policy", CheckpointError, "policy_hz is 10.0 there and 20.0 here"),
        ("bad share", ConfigError, "--allow is a share"),
        ("bad domain", ConfigError, r"--domain must lie in 0\.\.232, got 500"),
    ],
)
def test_what_cannot_be_replayed_gets_one_sentence(
    save_policy: SavePolicy,
    tmp_path: Path,
    bag: EpisodeBag,
    checkpoint: Path,
    toy_stream,
    damage: str,
    error: type[HopError],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contract, place, options = load_contract(), bag.path, []
    if damage == "no folder":
        place = tmp_path / "none"
    elif damage == "empty folder":
        place = tmp_path / "empty"
        place.mkdir()
    elif damage == "cut short":
        (mcap,) = bag.path.glob("*.mcap")
        mcap.write_bytes(mcap.read_bytes()[: mcap.stat().st_size // 2])
    elif damage == "another contract":
        toy = toy_stream()
        place = toy.record(tmp_path / "other", toy.run_live(contract), contract_hash="another")
    elif damage == "narrow camera":
        wide = contract.depth.model_copy(update={"fov_deg": 110.0})
        other = contract.model_copy(update={"depth": wide})
        save_policy(checkpoint, other)
        toy = toy_stream()
        place = toy.record(tmp_path / "other", toy.run_live(contract), contract_hash=other.hash)
        monkeypatch.setattr(replay_cli, "load_contract", lambda _folder: other)
    elif damage == "no checkpoint":
        checkpoint = tmp_path
    elif damage == "other policy":
        save_policy(checkpoint, contract.model_copy(update={"policy_hz": 10.0}))
    elif damage == "bad share":
        options = ["--allow", "2"]
    else:
        options = ["--domain", "500"]
    with pytest.raises(error, match=sentence):
        replay_cli.main([str(place), "--policy", str(checkpoint), *options])


def start_replay(*arguments: object) -> subprocess.Popen[str]:
    code = "import sys; from hop_core.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, "replay", *map(str, arguments), "--domain", str(DOMAIN)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def replaying(bag: EpisodeBag, checkpoint: Path) -> Iterator[subprocess.Popen[str]]:
    """`hop replay` of the toy bag; half of the ticks may suffer from a busy machine."""
    options = ("--policy", checkpoint, "--allow", 0.5, "--json")
    with start_replay(bag.path, *options) as process:
        yield process
        if process.poll() is None:
            process.kill()


@pytest.mark.ros
@pytest.mark.timeout(240)
def test_the_node_answers_a_recording_as_its_policy_does(replaying: subprocess.Popen[str]) -> None:
    said, complaints = replaying.communicate(timeout=220)
    assert replaying.returncode == 0, complaints
    found = json.loads(said.splitlines()[-1])
    assert found["ticks"] == TICKS
    assert found["answered"] + found["missed"] + found["refused"] == TICKS
    assert max(found["offline_max_rad"].values()) == 0.0
    if found["as_recorded"] == TICKS:  # where a busy machine missed one, histories differ
        assert max(found["recorded_mean_rad"].values()) == 0.0


@pytest.mark.ros
@pytest.mark.timeout(240)
def test_an_interrupted_replay_takes_its_node_along(replaying: subprocess.Popen[str]) -> None:
    parent, give_up = psutil.Process(replaying.pid), time.monotonic() + 100.0
    while not (nodes := parent.children()):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    replaying.send_signal(signal.SIGTERM)
    _, complaints = replaying.communicate(timeout=60)
    assert replaying.returncode != 0
    assert "Traceback" not in complaints
    # A signal in the midst of the start leaves the node to notice by itself, once it has loaded.
    assert psutil.wait_procs(nodes, timeout=90)[1] == []


@pytest.mark.parametrize("option", ["--lead-ms", "--tolerance-rad"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1"])
def test_sizes_that_are_none_are_refused(option: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="are finite numbers of 0 or more"):
        replay_cli.main([str(tmp_path), f"{option}={value}"])


@pytest.mark.ros
def test_a_recording_is_not_played_where_a_robot_may_be() -> None:
    rclpy = pytest.importorskip("rclpy")
    from sensor_msgs.msg import JointState

    from hop_core.nodes.qos import STREAM
    from hop_policy.nodes.bag_player import BagPlayer

    domain = DOMAIN
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    robot = rclpy.create_node("robot", context=context)
    robot.create_publisher(JointState, topics.ARM_STATES, STREAM)
    try:
        with pytest.raises(DeviceError, match=f"in ROS domain {domain}; a recording may not"):
            BagPlayer(domain)
    finally:
        robot.destroy_node()
        context.try_shutdown()
