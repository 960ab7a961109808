"""A bag gives the observations that the live policy saw, bit for bit, and labels one tick later."""

from pathlib import Path

import numpy as np
import pytest

from hop_core import topics
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES, load_embodiment
from hop_core.errors import AlignmentError, BagError
from hop_core.safety_config import load_safety
from hop_policy import messages
from hop_policy.bag_dataset import CACHE_DIR, load_episodes
from hop_policy.bag_decode import NO_TARGET, decode_episode
from hop_policy.bag_reader import open_episode
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.contract import PolicyContract
from hop_policy.episode_info import EpisodeInfo
from hop_policy.live_observer import LiveObserver, TickObservation
from hop_policy.tick_replay import HISTORY_GAP_NS, TARGET_HOLD_NS

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
TICK = 50 * MS
TARGET_DELAY = 13 * MS
"""From tick to the receipt of the accepted target, as on a real graph."""
WIDTH, HEIGHT, FOCAL = 160, 90, 66.0
HOME = load_embodiment().home


def arm_names_shuffled() -> list[str]:
    return list(reversed(ARM_JOINTS))


class ToyStream:
    """A second of robot: streams with delays and jitter, and a live policy, in receive order."""

    def __init__(self, ticks: int = 20, seed: int = 0, targets: bool = True) -> None:
        self.rng = np.random.default_rng(seed)
        self.events: list[tuple[int, str, object]] = []  # (receive time, topic, message)
        end = T0 + (ticks + 2) * TICK
        self.events.append((T0 - 300 * MS, topics.CAMERA_INFO, self.camera_info(T0)))
        self._stream(topics.ARM_STATES, 8 * MS, 2 * MS, end, self.arm)
        self._stream(topics.HAND_STATES, 6 * MS, 2 * MS, end, self.hand)
        self._stream(topics.DEPTH, 33 * MS, 20 * MS, end, self.depth)
        self.tick_times = [T0 + k * TICK for k in range(ticks)]
        if targets:
            for k, tick in enumerate(self.tick_times):
                self.events.append((tick + TARGET_DELAY, topics.SAFE_TARGET, self.target(k, tick)))
        self.events.sort(key=lambda event: event[0])

    def _stream(self, topic, period, delay, end, make) -> None:
        for stamp in range(T0 - 200 * MS, end, period):
            jitter = int(self.rng.integers(0, 4 * MS))
            self.events.append((stamp + delay + jitter, topic, make(stamp)))

    def camera_info(self, stamp: int) -> object:
        k = np.array([[FOCAL, 0, 79.5], [0, FOCAL, 44.5], [0, 0, 1]])
        return messages.camera_info(k, WIDTH, HEIGHT, stamp, "camera")

    def arm(self, stamp: int) -> object:
        q = HOME[:7] + self.rng.normal(0, 0.1, 7)
        return messages.joint_state(arm_names_shuffled(), q, 0 * q, 0 * q, stamp)

    def hand(self, stamp: int) -> object:
        q = HOME[7:] + self.rng.normal(0, 0.1, 16)
        return messages.joint_state(HAND_JOINTS, q, 0 * q, 0 * q, stamp)

    def depth(self, stamp: int) -> object:
        pixels = self.rng.integers(0, 1500, (HEIGHT, WIDTH), dtype=np.uint16)
        return messages.depth_image(pixels, stamp, "camera")

    def target(self, k: int, tick: int) -> object:
        return messages.joint_trajectory(JOINT_NAMES, HOME + 0.01 * k, tick, "abcd")

    def run_live(self, contract: PolicyContract) -> list[TickObservation]:
        """Feed the live observer in receive order; return what it saw at each tick."""
        observer, seen = LiveObserver(contract), []
        pending = list(self.events)
        for tick in self.tick_times:
            while pending and pending[0][0] <= tick:
                _, topic, message = pending.pop(0)
                if topic == topics.CAMERA_INFO:
                    observer.receive_camera_info(message)
                for stream, name in topics.STREAMS.items():
                    if name == topic:
                        observer.receive(stream, message)
            seen.append(observer.observe(tick))
        assert sum(observer.late.values()) == 0
        return seen

    def record(self, root: Path, live: list[TickObservation], **info) -> Path:
        ticks = [
            (s.tick_ns + 9 * MS, topics.TICK, messages.tick(s.tick_ns, s.stamps)) for s in live
        ]
        about = EpisodeInfo(task="toy", source=info.pop("source", "policy"), **info)
        name = f"e{len(list(root.glob('toy/*')))}"
        with EpisodeWriter(root, "toy", name, about) as writer:
            for received, topic, message in sorted([*self.events, *ticks], key=lambda e: e[0]):
                writer.write(topic, received, message)
            return writer.finish("success")


@pytest.fixture
def contract() -> PolicyContract:
    return PolicyContract()


def assert_same(live: list[TickObservation], decoded) -> None:
    assert decoded.ticks_ns.tolist() == [seen.tick_ns for seen in live]
    for row, seen in enumerate(live):
        assert decoded.proprio[row].tobytes() == seen.observation.proprio.tobytes()
        assert decoded.vision[row].tobytes() == seen.observation.vision.tobytes()


def test_recorded_ticks_give_bit_equal_observations(tmp_path, contract) -> None:
    toy = ToyStream()
    live = toy.run_live(contract)
    path = toy.record(tmp_path, live, contract_hash=contract.hash)
    assert_same(live, decode_episode(open_episode(path), contract))


def test_tick_rule_alone_gives_bit_equal_observations(tmp_path, contract) -> None:
    """A bag of another contract keeps its tick times and chooses anew by the same rule."""
    toy = ToyStream(seed=1)
    live = toy.run_live(contract)
    path = toy.record(tmp_path, live, contract_hash="another")
    assert_same(live, decode_episode(open_episode(path), contract))


def test_recorder_that_received_in_another_order_gives_the_same(tmp_path, contract) -> None:
    """The recorder may get a tick before the samples that it names."""
    toy = ToyStream(seed=2)
    live = toy.run_live(contract)
    toy.events = [
        (received + int(toy.rng.integers(0, 30 * MS)) * (topic != topics.SAFE_TARGET), topic, m)
        for received, topic, m in toy.events
    ]
    path = toy.record(tmp_path, live, contract_hash=contract.hash)
    assert_same(live, decode_episode(open_episode(path), contract))


def test_labels_and_histories_end_where_the_supervisor_holds() -> None:
    assert load_safety().watchdog.target_stale_s * 1e9 == TARGET_HOLD_NS
    assert HISTORY_GAP_NS == TARGET_HOLD_NS + TICK // 2


def test_known_lag_of_a_toy_stream_is_recovered_exactly(tmp_path, contract) -> None:
    """Target k answers tick k and comes 13 ms after it: the label of tick k is k, never k - 1."""
    toy = ToyStream()
    path = toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    (episode,) = load_episodes(tmp_path, contract)
    lower, upper = np.array(contract.policy_lower), np.array(contract.policy_upper)
    labels = lower + 0.5 * (episode.action + 1.0) * (upper - lower)
    answered = (labels - HOME) / 0.01
    assert np.rint(answered).astype(int).tolist() == [[k] * 23 for k in range(20)]
    assert open_episode(path).label == "success"


def test_label_in_force_at_the_tick_itself_would_be_the_previous_target(tmp_path, contract) -> None:
    toy = ToyStream()
    toy.record(tmp_path, toy.run_live(contract))
    leaking = contract.model_copy(update={"label_offset_ms": 0})
    (late,) = load_episodes(tmp_path, leaking)
    (right,) = load_episodes(tmp_path, contract)
    assert np.array_equal(late.action, right.action[:-1])  # tick 0 has no earlier target


def test_teleoperation_is_sampled_on_a_grid(tmp_path, contract) -> None:
    toy = ToyStream()
    path = toy.record(tmp_path, [], source="teleop")
    decoded = decode_episode(open_episode(path), contract)
    start = open_episode(path).start_ns
    assert set((decoded.ticks_ns - start) % TICK) == {0}
    assert len(decoded.ticks_ns) >= 20
    assert decoded.refused["depth: no fresh sample"] > 0  # camera_info comes before the streams


def test_targets_of_the_homing_motion_are_no_labels(tmp_path, contract) -> None:
    toy = ToyStream()
    live = toy.run_live(contract)
    for at, source in ((T0 - 100 * MS, "policy"), (T0 + 10 * TICK, "home")):
        status = messages.diagnostic_status("supervisor", "", {"source": source})
        toy.events.append((at, topics.STATE, status))
    path = toy.record(tmp_path, live, contract_hash=contract.hash)
    decoded = decode_episode(open_episode(path), contract)
    assert len(decoded.ticks_ns) == 9  # tick 9 would be answered at the switch itself
    assert decoded.refused == {NO_TARGET: 11}


def test_gap_in_which_the_robot_held_splits_the_episode_but_not_its_group(tmp_path, contract):
    toy = ToyStream()
    live = toy.run_live(contract)
    toy.record(tmp_path, live[:8] + live[10:], contract_hash=contract.hash)  # 150 ms: followed
    assert [len(episode) for episode in load_episodes(tmp_path, contract)] == [18]
    path = toy.record(tmp_path, live[:8] + live[11:], contract_hash=contract.hash)  # 200 ms
    _, first, second = load_episodes(tmp_path, contract)
    assert (len(first), len(second)) == (8, 9)
    assert first.name != second.name
    assert first.group == second.group == f"toy/{path.name}"


def test_sample_that_was_not_recorded_leaves_the_tick_out(tmp_path, contract) -> None:
    toy = ToyStream()
    live = toy.run_live(contract)
    gone = live[5].stamps["depth"]
    toy.events = [
        e for e in toy.events if e[1] != topics.DEPTH or e[2].header.stamp != messages.time(gone)
    ]
    path = toy.record(tmp_path, live, contract_hash=contract.hash)
    decoded = decode_episode(open_episode(path), contract)
    users = sum(seen.stamps["depth"] == gone for seen in live)
    assert len(decoded.ticks_ns) == len(live) - users
    assert list(decoded.refused.values()) == [users]


@pytest.mark.parametrize("topic", [topics.DEPTH, topics.HAND_STATES, topics.SAFE_TARGET])
def test_missing_topic_is_named(tmp_path, contract, topic) -> None:
    toy = ToyStream()
    live = toy.run_live(contract)
    toy.events = [event for event in toy.events if event[1] != topic]
    toy.record(tmp_path, live)
    with pytest.raises(BagError, match=f"no message of {topic}"):
        load_episodes(tmp_path, contract)


def test_stale_and_missing_streams_refuse_a_tick(contract) -> None:
    toy = ToyStream()
    observer = LiveObserver(contract)
    with pytest.raises(AlignmentError, match="camera_info"):
        observer.observe(T0)
    observer.receive_camera_info(toy.camera_info(T0))
    observer.receive("depth", toy.depth(T0))
    observer.receive("arm", toy.arm(T0))
    with pytest.raises(AlignmentError, match="hand: no sample"):
        observer.observe(T0 + 40 * MS)
    observer.receive("hand", toy.hand(T0))
    assert observer.observe(T0 + 50 * MS).stamps == {"depth": T0, "arm": T0, "hand": T0}
    with pytest.raises(AlignmentError, match=r"arm: 51 ms old, the limit is 50 ms"):
        observer.observe(T0 + 51 * MS)
    observer.receive("arm", toy.arm(T0 + 5 * MS))  # a past tick should have used it
    assert observer.late["arm"] == 1


def test_second_load_comes_from_the_cache(tmp_path, contract, monkeypatch) -> None:
    toy = ToyStream()
    toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    (first,) = load_episodes(tmp_path, contract)
    monkeypatch.setattr("hop_policy.bag_dataset.decode_episode", None)
    seen: list[tuple[int, int, str]] = []
    (second,) = load_episodes(tmp_path, contract, progress=lambda *args: seen.append(args))
    assert first.vision.tobytes() == second.vision.tobytes()
    assert first.action.tobytes() == second.action.tobytes()
    assert seen == [(1, 1, "toy/e0")]


def test_damaged_cache_is_made_again(tmp_path, contract) -> None:
    toy = ToyStream()
    toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    (first,) = load_episodes(tmp_path, contract)
    (file,) = (tmp_path / "toy" / CACHE_DIR).iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    (second,) = load_episodes(tmp_path, contract)
    assert first.action.tobytes() == second.action.tobytes()


def test_only_the_wanted_labels_are_loaded(tmp_path, contract) -> None:
    toy = ToyStream()
    toy.record(tmp_path, toy.run_live(contract))
    with pytest.raises(BagError, match=r"no episode labelled failure .*labels found: success"):
        load_episodes(tmp_path, contract, labels={"failure"})
