"""A bag gives the observations that the live policy saw, bit for bit, and labels one tick later."""

import errno
import os

import numpy as np
import pytest

from hop_core import topics
from hop_core.embodiment import load_embodiment
from hop_core.errors import AlignmentError, BagError, ConfigError
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_policy import messages
from hop_policy.bag_dataset import CACHE_DIR, load_episodes
from hop_policy.bag_decode import NO_TARGET, decode_episode, observations_at, read_content
from hop_policy.bag_files import METADATA_FILE
from hop_policy.bag_reader import find_bags, open_episode
from hop_policy.cell_statics import cell_statics
from hop_policy.contract import PolicyContract
from hop_policy.live_observer import LiveObserver, TickObservation
from hop_policy.statics import Statics
from hop_policy.tick_replay import HISTORY_GAP_NS, TARGET_HOLD_NS, require_hold

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
TICK = 50 * MS
HOME = load_embodiment().home


@pytest.fixture
def contract() -> PolicyContract:
    return PolicyContract()


def supervisor_is(state: str, source: str) -> object:
    """What the supervisor publishes when it enters a state."""
    told = {"state": state, "source": source}
    return messages.message(
        "diagnostic_msgs/msg/DiagnosticStatus",
        level=0,
        name="supervisor",
        message="",
        hardware_id="",
        values=[
            messages.message("diagnostic_msgs/msg/KeyValue", key=key, value=value)
            for key, value in told.items()
        ],
    )


def assert_same(live: list[TickObservation], decoded) -> None:
    assert decoded.ticks_ns.tolist() == [seen.tick_ns for seen in live]
    for row, seen in enumerate(live):
        assert decoded.proprio[row].tobytes() == seen.observation.proprio.tobytes()
        assert decoded.vision[row].tobytes() == seen.observation.vision.tobytes()


def test_recorded_ticks_give_bit_equal_observations(tmp_path, contract, toy_stream) -> None:
    toy = toy_stream()
    live = toy.run_live(contract)
    path = toy.record(tmp_path, live, contract_hash=contract.hash)
    assert_same(live, decode_episode(open_episode(path), contract))


def test_tick_rule_alone_gives_bit_equal_observations(tmp_path, contract, toy_stream) -> None:
    """A bag of another contract keeps its tick times and chooses anew by the same rule."""
    toy = toy_stream(seed=1)
    live = toy.run_live(contract)
    path = toy.record(tmp_path, live, contract_hash="another")
    assert_same(live, decode_episode(open_episode(path), contract))


def test_recorder_that_received_in_another_order_gives_the_same(
    tmp_path, contract, toy_stream
) -> None:
    """The recorder may get a tick before the samples that it names."""
    toy = toy_stream(seed=2)
    live = toy.run_live(contract)
    toy.events = [
        (received + int(toy.rng.integers(0, 30 * MS)) * (topic != topics.SAFE_TARGET), topic, m)
        for received, topic, m in toy.events
    ]
    path = toy.record(tmp_path, live, contract_hash=contract.hash)
    assert_same(live, decode_episode(open_episode(path), contract))


def test_labels_and_histories_end_where_the_supervisor_holds() -> None:
    safety = load_safety()
    require_hold(safety)
    other = safety.watchdog.model_copy(update={"target_stale_s": 0.2})
    with pytest.raises(ConfigError, match=r"target_stale_s is 0.2, .* holds after 0.15 s"):
        require_hold(safety.model_copy(update={"watchdog": other}))
    assert HISTORY_GAP_NS == TARGET_HOLD_NS + TICK // 2


@pytest.mark.parametrize("told", [True, False])
def test_a_bag_tells_its_cells_frames(tmp_path, contract, toy_stream, told: bool) -> None:
    robot = load_robot("twin")
    statics = cell_statics(robot) if told else Statics("<robot/>")
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract), statics, contract_hash=contract.hash)
    for _ in range(2):  # decoded, then from the cache
        (episode,) = load_episodes(tmp_path, contract)
        if told:
            np.testing.assert_allclose(episode.cell.T_base_cam, robot.camera.T_base_cam, atol=1e-9)
            np.testing.assert_allclose(episode.cell.T_base_table[:3, 3], robot.table.center_m)
        else:
            assert episode.cell is None


def test_a_bag_whose_camera_is_nowhere_is_refused(tmp_path, contract, toy_stream) -> None:
    statics = cell_statics(load_robot("twin"))
    statics.frames[0].T_parent_child[0, 3] = np.nan
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract), statics, contract_hash=contract.hash)
    with pytest.raises(BagError, match=r"a pose in /tf_static is not finite; or leave"):
        load_episodes(tmp_path, contract)


def test_known_lag_of_a_toy_stream_is_recovered_exactly(tmp_path, contract, toy_stream) -> None:
    """Target k answers tick k and comes 13 ms after it: the label of tick k is k, never k - 1."""
    toy = toy_stream()
    path = toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    (episode,) = load_episodes(tmp_path, contract)
    lower, upper = np.array(contract.policy_lower), np.array(contract.policy_upper)
    labels = lower + 0.5 * (episode.action + 1.0) * (upper - lower)
    answered = (labels - HOME) / 0.01
    assert np.rint(answered).astype(int).tolist() == [[k] * 23 for k in range(20)]
    assert open_episode(path).label == "success"


def test_label_in_force_at_the_tick_itself_would_be_the_previous_target(
    tmp_path, contract, toy_stream
) -> None:
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract))
    leaking = contract.model_copy(update={"label_offset_ms": 0})
    (late,) = load_episodes(tmp_path, leaking)
    (right,) = load_episodes(tmp_path, contract)
    assert np.array_equal(late.action, right.action[:-1])  # tick 0 has no earlier target


def test_teleoperation_is_sampled_on_a_grid(tmp_path, contract, toy_stream) -> None:
    toy = toy_stream()
    path = toy.record(tmp_path, [], source="teleop")
    decoded = decode_episode(open_episode(path), contract)
    start = open_episode(path).start_ns
    assert set((decoded.ticks_ns - start) % TICK) == {0}
    assert len(decoded.ticks_ns) >= 20
    assert decoded.refused["depth: no fresh sample"] > 0  # camera_info comes before the streams


def test_targets_of_the_homing_motion_are_no_labels(tmp_path, contract, toy_stream) -> None:
    toy = toy_stream()
    live = toy.run_live(contract)
    for at, source in ((T0 - 100 * MS, "policy"), (T0 + 10 * TICK, "home")):
        toy.events.append((at, topics.STATE, supervisor_is("ACTIVE", source)))
    path = toy.record(tmp_path, live, contract_hash=contract.hash)
    decoded = decode_episode(open_episode(path), contract)
    assert len(decoded.ticks_ns) == 9  # tick 9 would be answered at the switch itself
    assert decoded.refused == {NO_TARGET: 11}


def test_targets_by_which_the_supervisor_stays_are_no_labels(
    tmp_path, contract, toy_stream
) -> None:
    """Armed without a source, and while it holds, it sends a target a tick, as sources do."""
    toy = toy_stream(ticks=40)
    states = (-4, "ARMED", "none"), (8, "ACTIVE", "teleop"), (20, "HOLD", "teleop")
    for tick, state, source in (*states, (30, "ACTIVE", "teleop")):
        at = T0 + tick * TICK + 5 * MS
        toy.events.append((at, topics.STATE, supervisor_is(state, source)))
    toy.record(tmp_path, [], source="teleop")
    before, after = load_episodes(tmp_path, contract)
    lower, upper = np.array(contract.policy_lower), np.array(contract.policy_upper)
    for episode, answers in ((before, range(8, 20)), (after, range(30, 41))):
        labels = lower + 0.5 * (episode.action + 1.0) * (upper - lower)
        found = np.rint((labels - HOME) / 0.01).astype(int)[:, 0]
        assert set(found) <= set(answers)
        assert len(found) >= len(answers) - 2


def test_a_state_of_another_version_is_named(tmp_path, contract, toy_stream) -> None:
    toy = toy_stream()
    toy.events.append((T0, topics.STATE, supervisor_is("DREAMING", "policy")))
    toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    with pytest.raises(BagError, match=r"/hop/state has no known state .*DREAMING"):
        load_episodes(tmp_path, contract)


def test_gap_in_which_the_robot_held_splits_the_episode_but_not_its_group(
    tmp_path, contract, toy_stream
):
    toy = toy_stream()
    live = toy.run_live(contract)
    toy.record(tmp_path, live[:8] + live[10:], contract_hash=contract.hash)  # 150 ms: followed
    assert [len(episode) for episode in load_episodes(tmp_path, contract)] == [18]
    path = toy.record(tmp_path, live[:8] + live[11:], contract_hash=contract.hash)  # 200 ms
    unbroken, first, second = load_episodes(tmp_path, contract)
    assert (len(first), len(second)) == (8, 9)
    assert [each.goes_on for each in (unbroken, first, second)] == [False, True, False]
    assert first.name != second.name
    assert first.group == second.group == f"toy/{path.name}"


def test_sample_that_was_not_recorded_leaves_the_tick_out(tmp_path, contract, toy_stream) -> None:
    toy = toy_stream()
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
def test_missing_topic_is_named(tmp_path, contract, topic, toy_stream) -> None:
    toy = toy_stream()
    live = toy.run_live(contract)
    toy.events = [event for event in toy.events if event[1] != topic]
    toy.record(tmp_path, live)
    with pytest.raises(BagError, match=f"no message of {topic}"):
        load_episodes(tmp_path, contract)


def test_stale_and_missing_streams_refuse_a_tick(contract, toy_stream) -> None:
    toy = toy_stream()
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


def test_second_load_comes_from_the_cache(tmp_path, contract, monkeypatch, toy_stream) -> None:
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    (first,) = load_episodes(tmp_path, contract)
    monkeypatch.setattr("hop_policy.bag_dataset.decode_episode", None)
    seen: list[tuple[int, int, str]] = []
    (second,) = load_episodes(tmp_path, contract, progress=lambda *args: seen.append(args))
    assert first.vision.tobytes() == second.vision.tobytes()
    assert first.action.tobytes() == second.action.tobytes()
    assert seen == [(1, 1, "toy/e0")]


def test_damaged_cache_is_made_again(tmp_path, contract, toy_stream) -> None:
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    (first,) = load_episodes(tmp_path, contract)
    (file,) = (tmp_path / "toy" / CACHE_DIR).iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    (second,) = load_episodes(tmp_path, contract)
    assert first.action.tobytes() == second.action.tobytes()


def test_a_cache_that_cannot_be_written_leaves_nothing(
    tmp_path, contract, monkeypatch, toy_stream, caplog
) -> None:
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)

    def full(stream, **_):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("hop_policy.bag_dataset.np.savez", full)
    load_episodes(tmp_path, contract)
    assert "is not kept" in caplog.text
    assert list((tmp_path / "toy" / CACHE_DIR).iterdir()) == []


@pytest.mark.parametrize("seed", range(4))
def test_noise_in_a_bag_is_told_in_a_sentence(tmp_path, contract, toy_stream, seed) -> None:
    toy, rng = toy_stream(), np.random.default_rng(seed)
    path = toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    (file,) = path.glob("*.mcap")
    content = bytearray(file.read_bytes())
    at = 64  # in the first chunk's compressed data
    content[at : at + len(content) // 2] = rng.bytes(len(content) // 2)
    file.write_bytes(content)
    with pytest.raises(BagError, match="cannot be read"):
        load_episodes(tmp_path, contract)
    (path / METADATA_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(BagError, match="is not valid YAML"):
        load_episodes(tmp_path, contract)


def test_a_policys_own_episodes_are_learnt_from_only_where_asked(
    tmp_path, contract, toy_stream
) -> None:
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract), source="policy", contract_hash=contract.hash)
    with pytest.raises(BagError, match=r"of expert or teleop, .*success of policy"):
        load_episodes(tmp_path, contract)
    (found,) = load_episodes(tmp_path, contract, sources={"policy"})
    assert found.group == "toy/e0"


def test_a_sample_that_is_not_in_the_bag_is_named(tmp_path, contract, toy_stream) -> None:
    toy = toy_stream()
    live = toy.run_live(contract)
    bag = open_episode(toy.record(tmp_path, live, contract_hash=contract.hash))
    content = read_content(bag, contract)
    for stream in ("arm", "depth"):
        stamps = [{**live[0].stamps, stream: 7}]
        with pytest.raises(AlignmentError, match="stamped 7 is not in the bag"):
            observations_at(bag, contract, content, stamps)


@pytest.mark.parametrize(("place", "task", "count"), [
    ("toy", "toy", 1), ("toy", "other", 0), ("toy/e0", "other", 0), ("toy/e0", None, 1),
])  # fmt: skip
def test_bags_of_another_task_are_not_found(
    tmp_path, contract, toy_stream, place, task, count
) -> None:
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract), contract_hash=contract.hash)
    assert len(find_bags(tmp_path / place, task)) == count


def test_only_the_wanted_labels_are_loaded(tmp_path, contract, toy_stream) -> None:
    toy = toy_stream()
    toy.record(tmp_path, toy.run_live(contract))
    with pytest.raises(BagError, match=r"no episode labelled failure, .*found: success of expert"):
        load_episodes(tmp_path, contract, labels={"failure"})
