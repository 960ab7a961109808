"""Errors in open loop: known leads, histories and joints; bags that are not usable say why."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hop_core.embodiment import ARM, HAND
from hop_core.errors import BagError, CheckpointError, ConfigError, HopError
from hop_policy import open_loop_cli
from hop_policy.contract import load_contract
from hop_policy.open_loop import open_loop_errors

RNG = np.random.default_rng(0)
SavePolicy = Callable[..., Path]


def walk(ticks: int) -> np.ndarray:
    """Labels (T, 23) [rad] that wander."""
    return np.cumsum(RNG.normal(0, 0.02, (ticks, 23)), axis=0)


def test_the_horizon_of_the_smallest_error_tells_how_far_ahead_an_agent_acts() -> None:
    labels = [walk(60), walk(40)]
    late = [np.concatenate([label[:1], label[:-1]]) for label in labels]  # the previous label
    early = [np.concatenate([label[5:], np.repeat(label[-1:], 5, 0)]) for label in labels]
    answers = {"exact": labels, "previous_label": late, "five ahead": early}
    horizons = (-1, 0, 5)
    errors = open_loop_errors(answers, labels, horizons)
    assert {name: each.acts_ahead(horizons) for name, each in errors.items()} == {
        "exact": 0,
        "previous_label": -1,
        "five ahead": 5,
    }
    assert np.all(errors["exact"].joint_rad == 0.0)
    assert np.all(errors["previous_label"].horizon_rad[0] == 0.0)
    assert np.all(errors["five ahead"].horizon_rad[2] == 0.0)


def test_errors_are_told_by_joint_and_by_length_of_history() -> None:
    """0.1 rad of the arm at the first two ticks, 0.2 rad of the thumb's tip from the ninth on."""
    labels = [walk(20), walk(40)]
    answers = [label.copy() for label in labels]
    for answer in answers:
        answer[:2, ARM] += 0.1
        answer[8:, 22] -= 0.2
    error = open_loop_errors({"a": answers}, labels, (0,))["a"]
    assert list(error.history_rad) == ["1", "2", "3-4", "5-8", "9-16", "17-32", "33+"]
    assert error.history_rad["1"][ARM] == pytest.approx(np.full(7, 0.1))
    assert error.history_rad["3-4"] == pytest.approx(np.zeros(23))
    assert error.history_rad["33+"][22] == pytest.approx(0.2)
    assert error.joint_rad[ARM] == pytest.approx(np.full(7, 0.1 * 4 / 60))
    assert error.joint_rad[HAND][:-1] == pytest.approx(np.zeros(15))
    assert error.joint_rad[22] == pytest.approx(0.2 * 44 / 60)


def test_all_horizons_are_judged_on_the_same_ticks() -> None:
    """The first tick has no label behind it and the last five none ahead; a short episode no tick.

    An error that is only there tells nothing by horizon, however large.
    """
    labels = [walk(20), walk(5)]
    answers = [label.copy() for label in labels]
    answers[0][[0, *range(15, 20)]] += 9.0
    answers[1] += 9.0
    errors = open_loop_errors({"a": answers}, labels, (5, 0, -1))["a"]
    assert errors.horizon_rad[1] == pytest.approx(np.zeros(23))
    assert errors.horizon_rad[0].max() < 1.0
    with pytest.raises(BagError, match="no episode is longer than the 6 ticks"):
        open_loop_errors({"a": answers[1:]}, labels[1:], (5, 0, -1))


@pytest.fixture
def bags(tmp_path: Path, toy_stream) -> Path:
    """Two recordings of a toy robot."""
    contract = load_contract()
    for seed in range(2):
        toy = toy_stream(seed=seed)
        toy.record(tmp_path / "bags", toy.run_live(contract), contract_hash=contract.hash)
    return tmp_path / "bags"


def judge(capsys: pytest.CaptureFixture[str], *argv: object) -> dict:
    assert open_loop_cli.main([*map(str, argv), "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_policies_stand_beside_their_blind_controls_and_the_copies(
    save_policy: SavePolicy, tmp_path: Path, bags: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    contract = load_contract()
    first = save_policy(
        tmp_path / "a" / "best", contract, provenance={"training_episodes": ["toy/e1", "x/y#0"]}
    )
    second = save_policy(tmp_path / "b" / "best", contract, provenance={"training_tracks": ["x"]})
    found = judge(capsys, "--open-loop", bags, "--policy", first, second)
    assert (found["bags"], found["ticks"], found["policy"]) == (2, 40, "a/best, b/best")
    assert list(found["agents"]) == [
        "a/best", "a/best, blind", "b/best", "b/best, blind", "copy_proprio", "previous_label",
    ]  # fmt: skip
    assert found["trained_on"] == {"a/best": 1, "b/best": 0}
    copied = found["agents"]["previous_label"]
    assert copied["acts_ahead_ticks"] == -1
    assert copied["horizons"]["-1"]["arm_rad"] == pytest.approx(0.0, abs=1e-6)
    assert copied["horizons"]["5"]["hand_rad"] == pytest.approx(0.06, abs=1e-5)  # 0.01 rad a tick
    assert len(copied["joint_rad"]) == 23
    assert found["agents"]["a/best"] == found["agents"]["b/best"]


def test_one_bag_is_judged_alone_and_shown_as_tables(
    save_policy: SavePolicy, tmp_path: Path, bags: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = save_policy(tmp_path / "p", provenance={"software": "theirs"})
    bag = bags / "toy" / "e0"
    assert open_loop_cli.main(["--open-loop", str(bag), "--policy", str(policy)]) == 0
    said = capsys.readouterr().out
    for words in (
        "bags 1, episodes 1, ticks 20",
        "p does not say what it was trained on",
        "arm [mrad]",
        "allegro_thumb_3",
        "9-16",
    ):
        assert words in said
    assert "blind" not in said  # there is no other episode to see


def test_bags_of_another_contract_are_refused_unless_asked_for(
    save_policy: SavePolicy,
    tmp_path: Path,
    bags: Path,
    toy_stream,
    capsys: pytest.CaptureFixture[str],
) -> None:
    contract = load_contract()
    policy = save_policy(tmp_path / "p", contract)
    toy = toy_stream(seed=2)
    toy.record(bags, toy.run_live(contract), contract_hash="another")
    command = ["--open-loop", str(bags), "--policy", str(policy)]
    with pytest.raises(BagError, match=r"e2 was recorded for another contract \(an.*--other-co"):
        open_loop_cli.main(command)
    assert judge(capsys, *command, "--other-contract")["bags"] == 3


@pytest.mark.parametrize(
    ("damage", "error", "sentence"),
    [
        ("no folder", BagError, "there are no demonstrations in"),
        ("empty folder", BagError, "there is no episode in"),
        ("bag cut short", BagError, "cannot be read"),
        ("bag without metadata", BagError, "no complete bag|there is no episode"),
        ("no checkpoint", CheckpointError, "is no policy checkpoint"),
        ("other policy", CheckpointError, "policy_hz is 10.0 there and 20.0 here"),
        ("narrow camera", ConfigError, "crop"),
        ("no horizon", ConfigError, "--horizons needs at least one"),
        ("twice", ConfigError, "named twice"),
    ],
)
def test_what_cannot_be_judged_gets_one_sentence(
    save_policy: SavePolicy,
    tmp_path: Path,
    bags: Path,
    damage: str,
    error: type[HopError],
    sentence: str,
    monkeypatch,
) -> None:
    contract, place = load_contract(), bags
    policy = save_policy(tmp_path / "p", contract)
    command = ["--policy", str(policy)]
    if damage == "no folder":
        place = tmp_path / "none"
    elif damage == "empty folder":
        place = tmp_path / "empty"
        place.mkdir()
    elif damage == "bag cut short":
        (mcap,) = (bags / "toy" / "e0").glob("*.mcap")
        mcap.write_bytes(mcap.read_bytes()[: mcap.stat().st_size // 2])
    elif damage == "bag without metadata":
        for name in ("e0", "e1"):
            (bags / "toy" / name / "metadata.yaml").unlink()
    elif damage == "no checkpoint":
        command = ["--policy", str(tmp_path)]
    elif damage == "other policy":
        save_policy(policy, contract.model_copy(update={"policy_hz": 10.0}))
    elif damage == "narrow camera":
        narrow = contract.depth.model_copy(update={"fov_deg": 110.0})
        other = contract.model_copy(update={"depth": narrow})
        save_policy(policy, other)
        monkeypatch.setattr(open_loop_cli, "load_contract", lambda _folder: other)
        command.append("--other-contract")
    elif damage == "no horizon":
        command.append("--horizons")
    else:
        command.append(str(policy))
    with pytest.raises(error, match=sentence):
        open_loop_cli.main(["--open-loop", str(place), *command])
