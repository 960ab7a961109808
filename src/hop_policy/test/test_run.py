"""Facts about how a run is computed, shared out and logged."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from hop_core.errors import CheckpointError, ConfigError
from hop_policy import checkpoint as ck
from hop_policy.augment import Augmenter
from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode
from hop_policy.encoders import EncoderConfig
from hop_policy.model import PolicyConfig
from hop_policy.objective import acting_losses
from hop_policy.ranks import Ranks
from hop_policy.segments import Share
from hop_policy.train import train
from hop_policy.train_config import AugmentConfig, TrainConfig
from hop_policy.train_data import TrainData, data_of_episodes
from hop_policy.train_progress import TrainProgress
from hop_policy.trainer import Trainer

CONTRACT = PolicyContract()
TOY = TrainConfig(
    model=PolicyConfig(
        layers=1, width=32, heads=2, context=4, encoder=EncoderConfig(channels=(4, 4, 8, 8))
    ),
    augment=AugmentConfig(
        depth_shift_px=1, depth_offset_m=0.02, depth_noise_m=0.01, depth_dropout=0.1
    ),
    segments=4,
    windows=3,
    stride=2,
    max_steps=4,
    validate_every=2,
    device="cpu",
)


def toy_data(config: TrainConfig = TOY) -> TrainData:
    rng = np.random.default_rng(0)
    episodes = []
    for i in range(4):
        path = np.cumsum(rng.normal(0, 0.02, (13, 23)), 0).astype(np.float32)
        vision = rng.uniform(0.05, 1, (12, 60, 60)).astype(np.float32)
        episodes.append(Episode(f"e{i}", path[:12], vision, path[1:]))
    return data_of_episodes(episodes, CONTRACT, config)


def losses(config: TrainConfig) -> list[float]:
    trainer = Trainer(config, CONTRACT, toy_data(config), Path("unused"))
    for _ in range(4):
        trainer.train_step()
    return [losses["train"].item() for losses in trainer.losses]


def test_augmentation_does_not_depend_on_the_number_of_shares() -> None:
    source, std = toy_data().train, torch.full((23,), 0.1)
    whole = Augmenter(TOY.augment, CONTRACT, std, seed=5)(source.batch(3), 3)
    for i in range(2):
        share = Share(i, 2)
        part = Augmenter(TOY.augment, CONTRACT, std, 5, share)(source.batch(3, share), 3)
        rows = share.rows(4)
        assert torch.equal(part.proprio, whole.proprio[rows])
        assert torch.equal(part.vision, whole.vision[rows])


def test_a_segment_sees_its_table_moved_as_a_whole() -> None:
    config = TOY.augment.model_copy(update={"table_turn_rad": 0.2, "table_shift_m": 0.05})
    source, std = toy_data().train, torch.full((23,), 0.1)
    whole = Augmenter(config, CONTRACT, std, seed=5)(source.batch(3), 3).table_motion
    assert whole is not None
    assert whole.shape == (4, TOY.cut.frames, 3)
    assert torch.equal(whole, whole[:, :1].expand_as(whole))
    assert len(whole[:, 0].unique(dim=0)) == 4
    assert (whole.abs().amax((0, 1)) <= torch.tensor([0.2, 0.05, 0.05])).all()
    share = Share(1, 2)
    part = Augmenter(config, CONTRACT, std, 5, share)(source.batch(3, share), 3).table_motion
    assert part is not None
    assert torch.equal(part, whole[share.rows(4)])
    assert Augmenter(TOY.augment, CONTRACT, std, 5)(source.batch(3), 3).table_motion is None


def test_a_table_motion_changes_the_loss_and_needs_a_table_view() -> None:
    moved = AugmentConfig(table_turn_rad=0.1, table_shift_m=0.05)
    encoder = EncoderConfig(channels=(4, 4, 8, 8), view="table")
    model = TOY.model.model_copy(update={"encoder": encoder})
    still = TOY.model_copy(update={"model": model, "augment": AugmentConfig()})
    assert losses(still.model_copy(update={"augment": moved})) != losses(still)
    by_image = TOY.model_copy(update={"augment": moved})
    with pytest.raises(ConfigError, match="move a table view, which this network has not"):
        losses(by_image)
    by_image.require_view("point_cloud")


def test_bfloat16_trains_nearly_alike() -> None:
    half = losses(TOY.model_copy(update={"precision": "bfloat16"}))
    full = losses(TOY)
    assert half != full
    assert half == pytest.approx(full, rel=0.02)


@pytest.mark.slow
@pytest.mark.timeout(600)  # compiles for both kinds of batch
def test_a_compiled_loss_is_the_same() -> None:
    assert losses(TOY.model_copy(update={"compile": True})) == pytest.approx(losses(TOY), rel=1e-4)


def test_tensorboard_is_given_the_curves_and_a_missing_log_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    logged = TOY.model_copy(update={"logs": ("tensorboard",), "log_every": 2})
    progress = TrainProgress(Console(file=io.StringIO()))
    metrics = train(logged, CONTRACT, toy_data(), tmp_path / "run", progress=progress)
    events = event_accumulator.EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    assert {
        "loss/train", "loss/act",
        "validation/scaled", "validation/copy_proprio", "validation/previous_label",
        "run/samples_per_s", "run/data_wait_share", "run/peak_rss_mb",
    } <= set(events.Tags()["scalars"])  # fmt: skip
    assert [each.step for each in events.Scalars("loss/train")] == [2, 4]
    assert events.Scalars("validation/scaled")[-1].value == pytest.approx(metrics["last"]["scaled"])
    monkeypatch.setitem(sys.modules, "wandb", None)
    asked = TOY.model_copy(update={"logs": ("wandb",)})
    with pytest.raises(ConfigError, match=r"wandb is not installed; install it \(pip install"):
        train(asked, CONTRACT, toy_data(), tmp_path / "other", progress=progress)
    assert not (tmp_path / "other").exists()


class Refusing:
    """Stands for a module of logs: all that is called from `name` on fails."""

    def __init__(self, name: str, error: Exception) -> None:
        self.name, self.error, self.failing = name, error, False

    def __getattr__(self, name: str) -> Callable[..., Refusing]:
        return lambda *_, **__: self._called(name)

    def _called(self, name: str) -> Refusing:
        self.failing = self.failing or name == self.name
        if self.failing:
            raise self.error
        return self


@pytest.mark.parametrize("name", ["init", "log", "finish"])
@pytest.mark.parametrize("error", [Exception("api_key not configured"), BrokenPipeError("gone")])
def test_what_wandb_cannot_do_is_one_sentence_with_its_remedy(
    name: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, asked = tmp_path / "run", TOY.model_copy(update={"logs": ("wandb",), "max_steps": 1})
    trainer = Trainer(asked, CONTRACT, toy_data(), out)
    monkeypatch.setitem(sys.modules, "wandb", Refusing(name, error))
    with pytest.raises(ConfigError, match=rf"wandb fails \({error}\); .*login.*WANDB_MODE=offline"):
        trainer.run(TrainProgress(Console(file=io.StringIO())))
    assert out.is_dir()  # where wandb keeps what it has
    assert (out / ck.TRAINING_STATE).exists() == (name != "init")


@pytest.mark.parametrize("name", ["SummaryWriter", "add_scalar", "close"])
def test_a_disk_that_is_full_for_tensorboard_is_told_too(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = TOY.model_copy(update={"logs": ("tensorboard",), "max_steps": 1})
    trainer = Trainer(asked, CONTRACT, toy_data(), tmp_path)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", Refusing(name, full))
    remedy = "another output directory" if name == "SummaryWriter" else "--resume"
    with pytest.raises(CheckpointError, match=rf"cannot be written: No space left .*{remedy}$"):
        trainer.run(TrainProgress(Console(file=io.StringIO())))


def test_what_cannot_be_shared_out_is_refused() -> None:
    three = Ranks(Share(0, 3))
    with pytest.raises(ConfigError, match="segments: 4 cannot be shared by 3"):
        three.require_divisible(TOY, aims=False)
    six = TOY.model_copy(update={"segments": 6, "aim_frames": 128})
    three.require_divisible(six, aims=False)
    with pytest.raises(ConfigError, match="aim_frames: 128 cannot be shared by 3"):
        three.require_divisible(six, aims=True)
    clocked = TOY.model_copy(update={"segments": 6, "max_minutes": 1.0})
    with pytest.raises(ConfigError, match="cannot follow one clock"):
        three.require_divisible(clocked, aims=False)


@pytest.mark.parametrize("name", [ck.WEIGHTS, ck.LAST_WEIGHTS, ck.TRAINING_STATE, ck.METRICS])
def test_a_full_disk_is_one_sentence_and_leaves_the_last_whole_save_which_goes_on(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = TrainProgress(Console(file=io.StringIO()))
    trainer = Trainer(TOY, CONTRACT, toy_data(), tmp_path)
    full_when(monkeypatch, lambda file, _: file == f".{name}.partial" and trainer.step == 2)
    with pytest.raises(CheckpointError, match=r"cannot be written: No space left .* --resume"):
        trainer.run(progress)
    monkeypatch.undo()
    assert not list(tmp_path.glob(".*"))
    state = ck.load_training_state(tmp_path)
    assert state["step"] == ck.read_json(tmp_path / ck.METRICS)["last"]["step"] == 0
    for file in (ck.WEIGHTS, ck.LAST_WEIGHTS):
        kept = ck.read_weights(tmp_path / file)
        assert all(torch.equal(kept[key], state["model"][key]) for key in kept)
    metrics = train(TOY, CONTRACT, toy_data(), tmp_path, resume=True, progress=progress)
    assert [entry["step"] for entry in metrics["history"]] == [0, 2, 4]


@pytest.mark.parametrize("name", [ck.CONFIG, ck.PROVENANCE, ck.WEIGHTS, ck.TRAINING_STATE])
def test_a_disk_that_is_full_before_the_first_save_leaves_nothing_to_resume(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = TrainProgress(Console(file=io.StringIO()))
    with monkeypatch.context() as disk:
        full_when(disk, lambda file, _: file == f".{name}.partial")
        with pytest.raises(CheckpointError, match=r"No space left .*choose another output dir"):
            train(TOY, CONTRACT, toy_data(), tmp_path, progress=progress)
    assert train(TOY, CONTRACT, toy_data(), tmp_path, progress=progress)["step"] == 4


def test_a_run_that_has_saved_its_start_alone_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = TrainProgress(Console(file=io.StringIO()))
    trainer = Trainer(TOY, CONTRACT, toy_data(), tmp_path)
    trainer._write_header()
    trainer._validate_and_save(progress)
    full_when(monkeypatch, lambda file, _: file == f".{ck.CONFIG}.partial")
    with pytest.raises(CheckpointError, match=r"No space left .* --resume$"):
        train(TOY, CONTRACT, toy_data(), tmp_path, resume=True, progress=progress)


def test_a_disk_that_is_full_at_the_very_end_is_told_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(TOY, CONTRACT, toy_data(), tmp_path)
    full_when(monkeypatch, lambda _, content: b'"finished": true' in content)
    with pytest.raises(CheckpointError, match="cannot be written: No space left"):
        trainer.run(TrainProgress(Console(file=io.StringIO())))
    assert ck.read_json(tmp_path / ck.METRICS)["finished"] is False


def full_when(monkeypatch: pytest.MonkeyPatch, full: Callable[[str, bytes], bool]) -> None:
    """Has the disk refuse the files for whose name and content `full` holds."""
    write = Path.write_bytes

    def refusing(path: Path, content: bytes) -> int:
        if full(path.name, content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", refusing)


def test_a_share_without_a_window_has_a_gradient_of_nothing() -> None:
    data, trainer = toy_data(), Trainer(TOY, CONTRACT, toy_data(), Path("unused"))
    whole = data.train.batch(0)
    none = replace(whole, inside=whole.inside[:0], valid=whole.valid[:0], padded=False)
    loss = acting_losses(trainer.model, none, TOY.cut, "scaled")["act"]
    loss.backward()
    assert loss.item() == 0.0
    assert all(p.grad is None or not p.grad.any() for p in trainer.model.parameters())


def test_the_benchmark_warms_a_trainer_up_and_leaves_it_as_it_was() -> None:
    bench = importlib.import_module("train")  # bench/train.py
    trainer = Trainer(TOY, CONTRACT, toy_data(), Path("unused"))
    bench.warm_up(trainer, 2)
    assert (trainer.step, trainer.pace.windows) == (0, 0)
    for _ in range(4):
        trainer.train_step()
    assert [each["train"].item() for each in trainer.losses] == losses(TOY)


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, [0, 1]), (2, [0, 1, 2]), (6, [0, 1, 2, 4]), (8, [0, 1, 2, 4, 8])]
)
def test_the_benchmark_lets_the_reference_load_on_all_cores(cores: int, counts: list[int]) -> None:
    assert importlib.import_module("train").worker_counts(cores) == counts
