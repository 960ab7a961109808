"""Facts about `hop finetune`: bags in, a checkpoint out; bad input is one sentence."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import yaml

from hop_core import topics
from hop_core.config import config_path, load_config, values_hash
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES, load_embodiment
from hop_core.errors import BagError, CheckpointError, ConfigError
from hop_policy import checkpoint as ck
from hop_policy import finetune_cli, messages, train_options
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.contract import load_contract
from hop_policy.dataset import held_out_groups
from hop_policy.episode_info import EpisodeInfo
from hop_policy.finetune_cli import CONFIG, Arguments, main
from hop_policy.inference import Policy
from hop_policy.ranks import Ranks
from hop_policy.segments import Share
from hop_policy.shipped import checkpoint_path
from hop_policy.train_config import TrainConfig
from hop_policy.train_options import resolve

MS = 1_000_000
T0 = 1_700_000_000_000_000_000
SMALL = [
    "--set",
    "model.aim=false",  # the hands of these recordings never close
    "model.layers=1",
    "model.width=16",
    "model.heads=2",
    "model.encoder.channels=[2, 2, 4, 4]",
    "segments=2",
    "windows=2",
    "validate_every=2",
]


@pytest.fixture(scope="module")
def demos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three demonstrations of 25 ticks, in which the joints drift and the target leads."""
    root = tmp_path_factory.mktemp("demos")
    for i in range(3):
        about = EpisodeInfo(task="toy", source="expert", seed=i)
        with EpisodeWriter(root, "toy", f"e{i}", about) as writer:
            for received, topic, message in sorted(_events(i), key=lambda event: event[0]):
                writer.write(topic, received, message)
            writer.finish("success")
    return root


def _events(seed: int) -> list[tuple[int, str, object]]:
    rng = np.random.default_rng(seed)
    home, drift = load_embodiment().home, rng.normal(0, 0.001, 23)
    k = np.array([[66.0, 0, 79.5], [0, 66.0, 44.5], [0, 0, 1]])
    out: list[tuple[int, str, object]] = [
        (T0 - 300 * MS, topics.CAMERA_INFO, messages.camera_info(k, 160, 90, T0, "camera"))
    ]
    for t in range(-200, 1250, 10):
        stamp, q = T0 + t * MS, home + drift * t / 10
        arm = messages.joint_state(ARM_JOINTS, q[:7], 0 * q[:7], 0 * q[:7], stamp)
        hand = messages.joint_state(HAND_JOINTS, q[7:], 0 * q[7:], 0 * q[7:], stamp)
        out += [(stamp, topics.ARM_STATES, arm), (stamp, topics.HAND_STATES, hand)]
        if t % 30 == 0:
            pixels = rng.integers(300, 1500, (90, 160), dtype=np.uint16)
            out.append((stamp, topics.DEPTH, messages.depth_image(pixels, stamp, "camera")))
        if t % 50 == 0 and t >= 0:
            target = messages.joint_trajectory(JOINT_NAMES, q + 5 * drift, stamp, "abcd")
            out.append((stamp + 5 * MS, topics.SAFE_TARGET, target))
    return out


def test_bags_become_a_policy_and_the_run_resumes(
    demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "policy"
    command = [str(demos), "-o", str(out)]
    assert main([*command, "--max-steps", "4", *SMALL]) == 0
    told = capsys.readouterr()
    assert "best validation L1" in told.out
    assert "18 ticks without fresh samples or a target are left out" in told.err
    first = json.loads((out / ck.METRICS).read_text())
    assert (first["step"], first["finished"]) == (4, True)
    assert main([*command, "--resume"]) == 0
    assert "another budget" not in capsys.readouterr().err
    logged = ["--set", "log_every=7"]
    assert main([*command, *logged, "--resume", "--max-steps", "6"]) == 0
    assert ck.load_checkpoint_config(out).train["log_every"] == 7
    assert "another budget (max_steps 6, before 4)" in capsys.readouterr().err
    metrics = json.loads((out / ck.METRICS).read_text())
    assert [e["step"] for e in metrics["history"]] == [0, 2, 4, 6]
    assert metrics["history"][:3] == first["history"]
    about = json.loads((out / ck.PROVENANCE).read_text())
    assert about["episodes"] == 3
    assert (about["refused_ticks"], about["broken_rates"]) == (18, [])
    assert len(about["validation_episodes"]) == 1
    assert about["command"] == ["hop", "finetune", *command, "--max-steps", "4", *SMALL]
    assert len(about["resumed"]) == 2
    assert about["resumed"][-1]["command"][-3:] == ["--resume", "--max-steps", "6"]
    policy = Policy.load(out, load_contract())
    policy.warm_up(2)
    assert policy.model.config.layers == 1


def test_what_recordings_lack_is_told() -> None:
    assert finetune_cli._lacks({"refused_ticks": 0, "broken_rates": []}) == ""
    told = finetune_cli._lacks({"refused_ticks": 3, "broken_rates": ["e1", "e7"]})
    assert told.startswith("3 ticks without")
    assert "rates in e1, e7" in told


def test_only_the_first_of_several_processes_has_something_to_tell(
    demos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second = Ranks(Share(1, 2))
    monkeypatch.setattr(finetune_cli, "torchrun_ranks", lambda: nullcontext(second))
    monkeypatch.setattr(train_options, "train", lambda *_, **__: {})  # what its trainer returns
    assert main([str(demos), "-o", str(tmp_path / "policy"), *SMALL]) == 0
    assert capsys.readouterr().out == ""


def test_options_override_the_file(tmp_path: Path) -> None:
    contract, config = resolve(
        Arguments(
            demos=tmp_path,
            out=tmp_path,
            seed=7,
            max_minutes=3.0,
            vision="point_cloud",
            set=("augment.proprio_noise=0.02", "model.context=8"),
        ),
        CONFIG,
    )
    assert contract.vision == "point_cloud"
    assert (config.seed, config.max_minutes, config.max_steps) == (7, 3.0, None)
    assert (config.augment.proprio_noise, config.model.context) == (0.02, 8)


def test_a_configuration_is_a_file_or_the_name_of_an_installed_one(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(config_path(CONFIG).read_text().replace("clip: 0.25", "clip: 0.5"))
    for named, clip, layers in ((own, 0.5, 3), (Path("train_paper.yaml"), 0.25, 4)):
        _, config = resolve(Arguments(demos=tmp_path, out=tmp_path, config=named), CONFIG)
        assert (config.clip, config.model.layers) == (clip, layers)
    with pytest.raises(ConfigError, match="no configuration"):
        resolve(Arguments(demos=tmp_path, out=tmp_path, config=tmp_path / "none.yaml"), CONFIG)


def test_a_budget_takes_the_place_of_the_files(tmp_path: Path) -> None:
    def budget(**given: object) -> tuple[float | None, int | None]:
        _, config = resolve(Arguments(demos=tmp_path, out=tmp_path, **given), CONFIG)
        return config.max_minutes, config.max_steps

    assert budget() == (25.0, None)
    assert budget(max_steps=9) == (None, 9)
    assert budget(max_minutes=1.0) == (1.0, None)
    assert budget(max_steps=9, max_minutes=1.0) == (1.0, 9)
    for nothing in ({"max_steps": 0}, {"max_minutes": 0.0}):
        with pytest.raises(ConfigError, match=next(iter(nothing))):
            budget(**nothing)


@pytest.mark.parametrize("name", ["train.yaml", "train_paper.yaml", "train_pretrain.yaml"])
def test_shipped_configurations_are_valid(name: str) -> None:
    from hop_core.config import config_path, load_config
    from hop_policy.model import PolicyConfig
    from hop_policy.train_config import TrainConfig

    config = load_config(config_path(name), TrainConfig)
    if name == "train_pretrain.yaml":  # hop finetune --init goes on with it
        assert config.model == load_config(config_path("train.yaml"), TrainConfig).model
    if name == "train_paper.yaml":
        assert config.model == PolicyConfig()
        assert config.segments * config.windows == 256
        assert (config.learning_rate, config.clip, config.augment.proprio_noise) == (
            1e-4,
            0.25,
            0.1,
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("augment.proprio_nois=1", "augment.proprio_nois"),
        ("seed.x=1", "'seed' is no section"),
        ("whiten", "write key=value"),
        ("clip=-1", "clip"),
        ("clip=[1", r"'\[1' is no YAML value"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(Arguments(demos=tmp_path, out=tmp_path, set=(text,)), CONFIG)


def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "policy"
    with pytest.raises(BagError):
        main([str(tmp_path), "-o", str(out)])
    with pytest.raises(CheckpointError, match="no policy checkpoint"):
        main([str(tmp_path), "-o", str(out), "--resume"])
    with pytest.raises(CheckpointError, match="nor a shipped checkpoint"):
        main([str(tmp_path), "-o", str(out), "--init", str(tmp_path / "none")])
    damaged = tmp_path / "damaged"  # told before demonstrations are read: there are none
    shutil.copytree(checkpoint_path(Path("base_depth")), damaged)
    (damaged / ck.WEIGHTS).write_bytes((damaged / ck.WEIGHTS).read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="damaged"):
        main([str(tmp_path), "-o", str(out), "--init", str(damaged)])
    assert not out.exists()


def test_a_start_that_has_learnt_the_validation_episodes_is_told(
    demos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"toy/e{i}" for i in range(3)]
    held_out = [held_out_groups(names, 0.1, seed) for seed in range(10)]
    other = next(seed for seed in range(10) if held_out[seed] != held_out[0])
    begun, command = tmp_path / "begun", [str(demos), "--max-steps", "2"]
    assert main([*command, "-o", str(begun), *SMALL]) == 0
    for seed, seen in ((0, []), (other, sorted(held_out[other]))):
        capsys.readouterr()
        out, start = tmp_path / f"seed_{seed}", ["--init", str(begun), "--seed", str(seed)]
        assert main([*command, "-o", str(out), *start, *SMALL]) == 0
        about = json.loads((out / ck.PROVENANCE).read_text())
        assert [name.partition("#")[0] for name in about["validation_seen_by_init"]] == seen
        assert ("the validation loss flatters it" in capsys.readouterr().err) == bool(seen)
    start[1], out = str(out), tmp_path / "grandchild"  # its parent held the same out, and begun not
    assert main([*command, "-o", str(out), *start, *SMALL]) == 0
    about = json.loads((out / ck.PROVENANCE).read_text())
    assert [name.partition("#")[0] for name in about["validation_seen_by_init"]] == seen
    assert "the validation loss flatters it" in capsys.readouterr().err
    about = json.loads((begun / ck.PROVENANCE).read_text())
    ck.save_json(begun, ck.PROVENANCE, {**about, "learnt_from": [f"{seen[0]}#7"]})
    start[1], out = str(begun), tmp_path / "cut_otherwise"
    assert main([*command, "-o", str(out), *start, *SMALL]) == 0
    assert json.loads((out / ck.PROVENANCE).read_text())["validation_seen_by_init"] == seen
    assert "was trained on 1 of what this run is validated on" in capsys.readouterr().err
    (begun / ck.PROVENANCE).unlink()
    out = tmp_path / "unknown"
    assert main([*command, "-o", str(out), "--init", str(begun), *SMALL]) == 0
    assert json.loads((out / ck.PROVENANCE).read_text())["validation_seen_by_init"] is None
    assert "does not say what it was trained on" in capsys.readouterr().err


def test_few_demonstrations_are_the_first_by_name(demos: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy"
    assert main([str(demos), "-o", str(out), "--most", "2", "--max-steps", "2", *SMALL]) == 0
    about = json.loads((out / ck.PROVENANCE).read_text())
    used = {*about["training_episodes"], *about["validation_episodes"]}
    assert used == {"toy/e0", "toy/e1"}
    assert about["scene_seeds"] == [0, 1]


@pytest.mark.parametrize(
    ("most", "error", "message"),
    [("4", BagError, "4 episodes .* asked for, .* has 3"), ("1", ConfigError, "at least 2")],
)
def test_more_demonstrations_than_there_are_is_refused(
    demos: Path, tmp_path: Path, most: str, error: type[Exception], message: str
) -> None:
    out = tmp_path / "policy"
    with pytest.raises(error, match=message):
        main([str(demos), "-o", str(out), "--most", most, *SMALL])
    assert not out.exists()


@pytest.mark.parametrize(
    "option",
    [["--seed", "1"], ["--init", "x"], ["--set", "clip=1.0"], ["--set", "logs=[]", "clip=1.0"]],
)
def test_a_resumed_run_keeps_its_configuration(
    demos: Path, tmp_path: Path, option: list[str]
) -> None:
    out = tmp_path / "policy"
    with pytest.raises(CheckpointError, match=rf"so leave out {option[0]}( {option[-1]})?$"):
        main([str(demos), "-o", str(out), "--resume", *option])


def test_a_resumed_run_may_have_other_logs(tmp_path: Path) -> None:
    train, contract = load_config(config_path(CONFIG), TrainConfig), load_contract()
    about = {"contract": contract, "model": train.model, "train": train.model_dump(mode="json")}
    ck.save_config(tmp_path, ck.CheckpointConfig.model_validate(about))

    def resumed(*texts: str) -> TrainConfig:
        return resolve(Arguments(demos=tmp_path, out=tmp_path, resume=True, set=texts), CONFIG)[1]

    changed = {"logs": ("wandb",), "log_every": 9}
    assert resumed("logs=[wandb]", "log_every=9") == train.model_copy(update=changed)
    assert resumed() == train
    with pytest.raises(ConfigError, match="log_every"):
        resumed("log_every=0")


def test_a_run_of_another_version_is_not_resumed(demos: Path, tmp_path: Path) -> None:
    out = tmp_path / "policy"
    assert main([str(demos), "-o", str(out), "--max-steps", "2", *SMALL]) == 0
    values = yaml.safe_load((out / ck.CONFIG).read_text())
    values["train"]["dropout"] = 0.1
    values["hash"] = values_hash({**values, "hash": ""})
    (out / ck.CONFIG).write_text(yaml.safe_dump(values))
    with pytest.raises(CheckpointError, match=r"trained by another version \(.*dropout"):
        main([str(demos), "-o", str(out), "--max-steps", "4", "--resume"])
