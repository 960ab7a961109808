"""Facts about pretraining: what is learnt from a store, how it is split, shared out and resumed."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from hop_core.cli import VERB_GROUP, run_verb
from hop_core.embodiment import load_embodiment
from hop_core.errors import CheckpointError, ConfigError, TrajectoryError
from hop_policy import checkpoint as ck
from hop_policy.contract import PointCloudContract, PolicyContract
from hop_policy.frame_store import FrameStore, SegmentSampler
from hop_policy.inference import Policy
from hop_policy.model import PolicyConfig
from hop_policy.train import train
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData
from hop_policy.train_progress import TrainProgress
from hop_policy.trainer import Trainer
from hop_sim.pretrain.selection import kept_parts, split_parts, thinned
from hop_sim.pretrain.store_data import data_of_stores
from hop_sim.pretrain_cli import main
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.poses import posed
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.thin import thin_store
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics
from hop_sim.trajectories.writer import TrajectoryWriter

CONTRACT = PolicyContract(vision="point_cloud")
TINY = TrainConfig(
    model=PolicyConfig(layers=1, width=16, heads=2, context=4),
    segments=4,
    windows=3,
    stride=2,
    val_fraction=0.3,
    ema_decay=0.9,
    max_steps=6,
    validate_every=2,
    device="cpu",
)
Torchrun = Callable[[list[str]], subprocess.CompletedProcess[str]]
SMALL = [
    "--set", "model.layers=1", "model.width=16", "model.heads=2", "segments=4", "windows=3",
    "max_minutes=null", "max_val_episodes=2", "validate_every=2", "device=cpu",
    "ema_decay=0", "warmup_steps=0",
]  # fmt: skip
HALF_STEP = 0.5 * 4 / 65534  # policy units


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def write_store(path: Path, seeds: range, lag: int = 0, source: str = "test") -> TrajectoryStore:
    """Tracks of three attempts, every other of which is kept_contact; q_target[k] = q[k - lag].

    Two tracks are of each group, and of each object.
    """
    with TrajectoryWriter.create(path, make_header({"retarget.yaml": "0" * 16})) as writer:
        for seed in seeds:
            rng = np.random.default_rng(seed)
            name, kept = f"object_{seed // 2}", []
            for attempt in range(3):
                length = 20 + attempt
                q = load_embodiment().home + np.cumsum(rng.normal(0, 0.02, (length, 23)), 0)
                pose = rng.normal(size=(length, 7))
                pose[:, 3:] /= np.linalg.norm(pose[:, 3:], axis=1, keepdims=True)
                target = q[np.maximum(np.arange(length) - lag, 0)]
                flags = np.zeros(length, bool)
                frames = Frames(q, target, target, pose, np.zeros(length), flags)
                metrics = TrajectoryMetrics.only(kept_any=True, kept_contact=attempt != 1)
                kept.append(Trajectory(attempt, seed, name, frames, metrics, Scene.unknown()))
            cloud = np.random.default_rng(seed // 2).normal(0, 0.04, (100, 3)).astype("f4")
            info = TrackInfo(
                name=f"track_{seed}", source=source, synthetic=True, group=f"hand_{seed // 2}"
            )
            models = {name: ObjectModel(cloud, cloud)}
            writer.append_track(TrackResult(info, 3, {}, kept, models))
    return TrajectoryStore.open(path)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrajectoryStore:
    return write_store(tmp_path_factory.mktemp("pretrain") / "store", range(6))


def frames_of(data: TrainData) -> FrameStore:
    assert isinstance(data.train, SegmentSampler)
    return data.train.store


def quiet() -> TrainProgress:
    return TrainProgress(Console(file=io.StringIO()))


def history(out: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((out / ck.METRICS).read_text())["history"]
    return [{k: v for k, v in entry.items() if k != "minutes"} for entry in entries]


def test_the_label_of_an_observation_is_the_next_frames_target(store: TrajectoryStore) -> None:
    data = data_of_stores([store], "contact", CONTRACT, TINY)
    frames, embodiment = frames_of(data), load_embodiment()
    names = {name: i for i, name in enumerate(row.info.name for row in store.tracks)}
    first = names[data.provenance["training_tracks"][0]]
    number = store.tracks[first].first_trajectory + 2  # attempt 1 is not kept
    rows = store.frame_rows(number)
    q, target = (store.read(f"frames/{name}", rows) for name in ("q", "q_target"))
    episode = frames.episode(1)
    assert len(episode) == len(q) - 1
    for column, truth in ((frames.proprio, q[:-1]), (frames.action, target[1:])):
        error = np.abs(column(episode).numpy() - embodiment.scale(truth.astype(float)))
        assert error.max() <= HALF_STEP + 5e-7
    cloud = store.read("objects/cloud")[store.read("episodes/object")[number]]
    seen = posed(cloud, store.read("frames/object_pose", rows)[:-1])
    np.testing.assert_allclose(frames.vision(episode).numpy(), seen, atol=2e-6)


def test_a_known_lag_is_recovered_by_copying(tmp_path: Path) -> None:
    """Where the target of step k is the posture before it, copying the posture is no error."""
    store = write_store(tmp_path / "store", range(4), lag=1)
    data = data_of_stores([store], "any", CONTRACT, TINY)
    baselines = Trainer(TINY, CONTRACT, data, tmp_path).report.baselines
    assert baselines["copy_proprio"]["scaled"] < HALF_STEP
    assert baselines["previous_label"]["arm_rad"] == pytest.approx(0.016, rel=0.1)


def test_groups_are_on_one_side_and_rejected_trajectories_on_none(store: TrajectoryStore) -> None:
    parts = kept_parts([store], "contact")
    assert sum(map(len, parts)) == 12
    assert sum(map(len, kept_parts([store], "any"))) == 18
    train, val = split_parts(parts, 0.3, seed=0)
    groups = [{part.track.info.group for part in side} for side in (train, val)]
    assert groups[0].isdisjoint(groups[1])
    assert list(map(len, groups)) == [2, 1]
    few = thinned(train, 5, seed=1)
    assert sum(map(len, few)) == 5
    assert all(set(part.numbers) <= set(parts[part.track.first_trajectory // 3].numbers)
               for part in few)  # fmt: skip
    again = split_parts(parts, 0.3, seed=0)[1]
    assert [part.track.info.name for part in again] == [part.track.info.name for part in val]


def test_70_000_trajectories_of_200_frames_take_less_than_2_gb(store: TrajectoryStore) -> None:
    frames = frames_of(data_of_stores([store], "any", CONTRACT, TINY))
    held = [
        tensor
        for column in (frames.proprio, frames.action, frames.vision)
        for tensor in vars(column).values()
        if isinstance(tensor, torch.Tensor) and len(tensor) == len(frames)
    ]
    frame_bytes = sum(tensor[0].nbytes for tensor in held)
    assert frame_bytes == 2 * 23 * 2 + 7 * 4 + 4
    assert 70_000 * 200 * frame_bytes < 2e9


def test_a_killed_run_resumes_bit_for_bit(store: TrajectoryStore, tmp_path: Path) -> None:
    def data() -> TrainData:
        return data_of_stores([store], "any", CONTRACT, TINY)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(TINY, CONTRACT, data(), whole, progress=quiet())
    trainer = Trainer(TINY, CONTRACT, data(), killed)
    step = trainer.train_step

    def dies_at_5() -> None:
        if trainer.step == 5:
            raise KeyboardInterrupt
        step()

    trainer.train_step = dies_at_5  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), quiet() as progress:
        trainer.run(progress)
    train(TINY, CONTRACT, data(), killed, resume=True, progress=quiet())
    assert history(killed) == history(whole)
    one, two = (ck.read_weights(out / ck.LAST_WEIGHTS) for out in (whole, killed))
    assert all(torch.equal(one[key], two[key]) for key in one)


def test_the_command_makes_a_policy_and_goes_on_with_it(
    store: TrajectoryStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "policy"
    command = [store.address, "-o", str(out), "--kept=any"]
    assert main([*command, "--max-steps=4", *SMALL]) == 0
    lines = capsys.readouterr()
    assert "copying the posture gives" in lines.out
    assert "copying the posture" in lines.err
    assert "the previous label" in lines.err
    assert main([*command, "--resume", "--max-steps=6"]) == 0
    assert [entry["step"] for entry in history(out)] == [0, 2, 4, 6]
    about = json.loads((out / ck.PROVENANCE).read_text())
    assert about["stores"][0]["content"] == store.content
    assert (about["kept"], about["validation_trajectories"]) == ("any", 2)
    assert json.loads((out / ck.METRICS).read_text())["peak_memory_mb"]["rss_mb"] > 100
    assert Policy.load(out, CONTRACT).model.config.layers == 1
    with pytest.raises(CheckpointError, match="another set of data"):
        main([store.address, "-o", str(out), "--resume", "--max-steps=8"])
    other = write_store(tmp_path / "other", range(3))
    begun = rf"was begun with {store.address}, not with {other.address}, or that has changed"
    with pytest.raises(CheckpointError, match=begun):
        main([other.address, *command[1:], "--resume", "--max-steps=8"])


def test_bad_input_is_one_sentence(store: TrajectoryStore, tmp_path: Path) -> None:
    out = tmp_path / "policy"
    with pytest.raises(TrajectoryError, match="its depth is not rendered; run hop trajectories"):
        main([store.address, "-o", str(out), "--vision=depth"])
    with pytest.raises(TrajectoryError, match=r"track_0' is in .* name each store once"):
        main([store.address, store.address, "-o", str(out)])
    part = tmp_path / "part"
    list(thin_store(store, part, "any", 3, seed=0))
    with pytest.raises(TrajectoryError, match=r"none beside its merge or a part of it"):
        kept_parts([store, TrajectoryStore.open(part)], "any")
    others = write_store(tmp_path / "others", range(2), source="of other people")
    assert len(kept_parts([store, others], "any")) == len(store.tracks) + 2
    one_group = write_store(tmp_path / "one", range(2))
    with pytest.raises(TrajectoryError, match="one track group, 'hand_0'; at least 2"):
        main([one_group.address, "-o", str(out)])
    empty = write_store(tmp_path / "empty", range(0))
    with pytest.raises(TrajectoryError, match="none of 0 trajectories is marked kept_contact"):
        main([empty.address, "-o", str(out)])
    slow = CONTRACT.model_copy(update={"policy_hz": 10.0})
    with pytest.raises(TrajectoryError, match="policy's contract has 10"):
        data_of_stores([store], "any", slow, TINY)
    with pytest.raises(ConfigError, match="aim_goal_m is for demonstrations"):
        main([store.address, "-o", str(out), "--set", "aim_goal_m=0.07"])
    assert not out.exists()


def test_a_store_that_does_not_fit_or_is_broken_is_told_by_field(
    store: TrajectoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = CONTRACT.model_copy(update={"point_cloud": PointCloudContract(points=64)})
    with pytest.raises(TrajectoryError, match="cloud points: is 100, the policy's contract has 64"):
        data_of_stores([store], "any", few, TINY)
    names = ("other", *CONTRACT.joint_names[1:])
    other = CONTRACT.model_copy(update={"joint_names": names})
    with pytest.raises(TrajectoryError, match="joint_names: is"):
        data_of_stores([store], "any", other, TINY)
    long = TINY.model_copy(update={"model": PolicyConfig(layers=1, width=16, heads=2, context=40)})
    with pytest.raises(ConfigError, match=r"model.context: is 40 .* the longest of 12 .* 21 ticks"):
        data_of_stores([store], "any", CONTRACT, long)
    read = TrajectoryStore.read
    for path in ("frames/q_target", "frames/q", "frames/object_pose"):

        def broken(self: TrajectoryStore, which: str, rows: Any = None, path: str = path) -> Any:
            values = read(self, which, rows)
            return np.full_like(values, np.nan) if which == path else values

        monkeypatch.setattr(TrajectoryStore, "read", broken)
        with pytest.raises(
            TrajectoryError, match=rf"track 'track_\d': {path}: .* nan|{path}: .*NaN"
        ):
            data_of_stores([store], "any", CONTRACT, TINY)


def test_bad_input_ends_the_command_with_one_line(
    store: TrajectoryStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "policy"
    empty = write_store(tmp_path / "empty", range(0))
    for arguments in (
        [empty.address],
        [str(tmp_path / "nowhere")],
        [],
        [store.address, "--vision=depth"],
        [store.address, "--resume"],
        [store.address, f"--init={tmp_path}"],
        [store.address, "--set", "segments=0"],
    ):
        assert run_verb(VERB_GROUP, "hop", ["pretrain", *arguments, "-o", str(out)]) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("hop pretrain: ")
        assert told.err.count("\n") == 1
        assert not out.exists()


@pytest.mark.slow
def test_two_processes_agree_with_one(
    store: TrajectoryStore, tmp_path: Path, torchrun_pretrain: Torchrun
) -> None:
    arguments = [store.address, "--kept=any", "--max-steps=6", *SMALL]
    assert main([*arguments, "-o", str(tmp_path / "one")]) == 0
    ran = torchrun_pretrain([*arguments, "-o", str(tmp_path / "two")])
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("step      6") == 1
    assert ran.stdout.count("copying the posture") == 1
    one, two = history(tmp_path / "one"), history(tmp_path / "two")
    assert len(one) == 4
    for ours, theirs in zip(one, two, strict=True):
        assert theirs == pytest.approx(ours, abs=1e-5)
    assert json.loads((tmp_path / "two" / ck.METRICS).read_text())["processes"] == 2
    told = json.loads((tmp_path / "two" / ck.PROVENANCE).read_text())["command"]
    assert told[:4] == ["torchrun", "--nproc-per-node=2", "-m", "hop_sim.pretrain_cli"]


@pytest.mark.slow
def test_what_several_processes_refuse_is_a_sentence(
    tmp_path: Path, torchrun_pretrain: Torchrun
) -> None:
    ran = torchrun_pretrain([str(tmp_path / "none"), "-o", str(tmp_path / "two")])
    assert ran.returncode != 0
    assert "hop pretrain: " in ran.stderr
    assert "TrajectoryError" not in ran.stderr
