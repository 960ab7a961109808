"""Facts about training: resuming is exact, the budget holds, copying is reported."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from hop_core.durable_files import replace_files
from hop_core.errors import CheckpointError, ModelError
from hop_policy import checkpoint as ck
from hop_policy.contract import DepthContract, PolicyContract, StreamContract
from hop_policy.dataset import Episode
from hop_policy.encoders import EncoderConfig
from hop_policy.inference import Policy
from hop_policy.model import PolicyConfig
from hop_policy.observation import JointScaling, Observation
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
        proprio_noise=0.05, depth_shift_px=1, depth_noise_m=0.01, depth_dropout=0.1
    ),
    segments=2,
    windows=3,
    stride=2,
    ema_decay=0.9,
    max_steps=20,
    validate_every=5,
    device="cpu",
)


def toy_episodes(count: int = 6, ticks: int = 12, lag: int = 1) -> list[Episode]:
    """Joints that wander; the label of a tick is the posture `lag` ticks later. Vision is noise."""
    rng = np.random.default_rng(0)
    episodes = []
    for i in range(count):
        path = np.cumsum(rng.normal(0, 0.02, (ticks + lag, 23)), 0).astype(np.float32)
        vision = rng.uniform(0.05, 1, (ticks, 60, 60)).astype(np.float32)
        episodes.append(Episode(f"e{i}", path[:ticks], vision, path[lag:]))
    return episodes


def quiet() -> TrainProgress:
    return TrainProgress(Console(file=io.StringIO()))


def toy_data(config: TrainConfig = TOY) -> TrainData:
    return data_of_episodes(toy_episodes(), CONTRACT, config)


def history(out: Path) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads((out / ck.METRICS).read_text())["history"]
    return [{k: v for k, v in entry.items() if k != "minutes"} for entry in entries]


@dataclass(frozen=True)
class Run:
    """A finished run of TOY: its folder, its metrics, and what it wrote without a terminal."""

    out: Path
    metrics: dict[str, Any]
    lines: list[str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that the tests read; one that writes to it takes a copy."""
    out, text = tmp_path_factory.mktemp("whole") / "run", io.StringIO()
    metrics = train(TOY, CONTRACT, toy_data(), out, progress=TrainProgress(Console(file=text)))
    return Run(out, metrics, text.getvalue().splitlines())


def test_a_killed_run_resumes_bit_for_bit(whole: Run, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    trainer = Trainer(TOY, CONTRACT, toy_data(), killed)
    step = trainer.train_step

    def dies_at_13() -> None:
        if trainer.step == 13:
            raise KeyboardInterrupt
        step()

    trainer.train_step = dies_at_13  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), quiet() as progress:
        trainer.run(progress)
    assert ck.load_training_state(killed)["step"] == 10
    torch.manual_seed(99)  # a new process has another global state
    train(TOY, CONTRACT, toy_data(), killed, resume=True, progress=quiet())
    assert history(killed) == history(whole.out)
    for name in (ck.WEIGHTS, ck.LAST_WEIGHTS):
        one, two = ck.read_weights(whole.out / name), ck.read_weights(killed / name)
        assert all(torch.equal(one[k], two[k]) for k in one)


def test_a_checkpoint_from_elsewhere_is_not_written_over(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.out, tmp_path, dirs_exist_ok=True)
    (tmp_path / ck.TRAINING_STATE).unlink()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match="that no run can go on with"):
        train(TOY, CONTRACT, toy_data(), tmp_path, progress=quiet())
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_resuming_needs_the_same_configuration_and_data(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.out, tmp_path, dirs_exist_ok=True)
    with pytest.raises(CheckpointError, match="holds a run already"):
        train(TOY, CONTRACT, toy_data(), tmp_path, progress=quiet())
    other = TOY.model_copy(update={"learning_rate": 1e-3})
    with pytest.raises(CheckpointError, match="with another configuration than now asked for"):
        train(other, CONTRACT, toy_data(), tmp_path, resume=True, progress=quiet())
    fewer = data_of_episodes(toy_episodes()[:5], CONTRACT, TOY)
    with pytest.raises(CheckpointError, match="with another set of data than now asked for"):
        train(TOY, CONTRACT, fewer, tmp_path, resume=True, progress=quiet())
    longer = TOY.model_copy(update={"max_steps": 25})
    assert (
        train(longer, CONTRACT, toy_data(), tmp_path, resume=True, progress=quiet())["step"] == 25
    )


def test_a_state_that_tells_no_time_of_seeing_is_resumed(whole: Run, tmp_path: Path) -> None:
    shutil.copytree(whole.out, tmp_path, dirs_exist_ok=True)
    state = ck.load_training_state(tmp_path)
    del state["pace"]["seeing_s"]
    replace_files(tmp_path, {ck.TRAINING_STATE: ck.state_content(state)})
    train(TOY, CONTRACT, toy_data(), tmp_path, resume=True, progress=quiet())
    assert history(tmp_path) == history(whole.out)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda state: state.pop("pace"), "pace, pace.elapsed_s"),
        (lambda state: state["pace"].pop("windows"), "pace.windows"),
        (lambda state: state["pace"].update(naps=3), "pace.naps"),
        (lambda state: state["trained_with"].pop("contract"), "trained_with.contract"),
        (lambda state: state.update(trained_with="care"), "trained_with.configuration"),
    ],
)
def test_a_state_of_another_version_is_named(
    change: Callable[[dict[str, Any]], object], told: str, whole: Run, tmp_path: Path
) -> None:
    out = tmp_path / "copy"
    shutil.copytree(whole.out, out)
    state = ck.load_training_state(out)
    change(state)
    replace_files(out, {ck.TRAINING_STATE: ck.state_content(state)})
    with pytest.raises(CheckpointError, match=rf"of another version, which differs in {told}"):
        train(TOY, CONTRACT, toy_data(), out, resume=True, progress=quiet())


def test_a_state_that_is_cut_short_wants_another_directory(whole: Run, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(whole.out, out)
    file, weights = out / ck.TRAINING_STATE, (out / ck.WEIGHTS).read_bytes()
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"damaged .* train again into another output dir"):
        train(TOY, CONTRACT, toy_data(), out, resume=True, progress=quiet())
    assert (out / ck.WEIGHTS).read_bytes() == weights


def test_best_weights_are_kept_beside_the_last(whole: Run) -> None:
    metrics = whole.metrics
    assert metrics["best"]["scaled"] == min(e["scaled"] for e in metrics["history"])
    assert [e["step"] for e in metrics["history"]] == [0, 5, 10, 15, 20]
    for name, entry in ((ck.WEIGHTS, metrics["best"]), (ck.LAST_WEIGHTS, metrics["last"])):
        model = ck.load_checkpoint(whole.out, CONTRACT, name).model
        again = Trainer(TOY, CONTRACT, toy_data(), whole.out).validation(model)
        assert again["scaled"] == pytest.approx(entry["scaled"], rel=1e-6)


def test_validation_is_the_error_of_the_deployed_policy(whole: Run) -> None:
    metrics = whole.metrics
    policy, scaling = Policy.load(whole.out, CONTRACT), JointScaling(CONTRACT)
    held_out = json.loads((whole.out / ck.PROVENANCE).read_text())["validation_episodes"]
    errors = []
    for episode in (e for e in toy_episodes() if e.name in held_out):
        policy.reset()
        for t in range(len(episode)):
            seen = Observation(episode.proprio[t : t + 1], episode.vision[t : t + 1])
            errors.append(np.abs(scaling.scale(policy.act(seen)[0]) - episode.action[t]))
    assert np.mean(errors) == pytest.approx(metrics["best"]["scaled"], rel=1e-3)


def test_blindness_needs_another_episode(whole: Run) -> None:
    assert whole.metrics["last_blind"] is None  # one of six is held out
    config = TOY.model_copy(update={"val_fraction": 0.5})
    trainer = Trainer(config, CONTRACT, toy_data(config), whole.out)
    assert trainer.validation.blind(trainer.model) is not None


def test_copy_baselines_are_those_of_a_known_lag() -> None:
    episodes = toy_episodes(lag=1)
    data = data_of_episodes(episodes, CONTRACT, TOY)
    baselines = Trainer(TOY, CONTRACT, data, Path("unused")).report.baselines
    held_out = [e for e in episodes if e.name in data.provenance["validation_episodes"]]
    moved = np.concatenate([np.abs(e.proprio - e.action) for e in held_out])
    assert baselines["copy_proprio"]["scaled"] == pytest.approx(moved.mean(), rel=1e-5)
    # With a lag of one tick the previous label *is* the posture.
    assert baselines["previous_label"] == pytest.approx(baselines["copy_proprio"], rel=1e-5)


def test_minutes_bound_a_run(tmp_path: Path) -> None:
    config = TOY.model_copy(update={"max_steps": None, "max_minutes": 0.005})
    metrics = train(config, CONTRACT, toy_data(config), tmp_path, progress=quiet())
    assert metrics["step"] >= 1
    assert 0.005 <= metrics["minutes"] < 1.0


def test_divergence_stops_the_run_and_keeps_the_best(tmp_path: Path) -> None:
    config = TOY.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(ModelError, match="diverged"):
        train(config, CONTRACT, toy_data(config), tmp_path, progress=quiet())
    assert ck.read_json(tmp_path / ck.METRICS)["best"]["step"] == 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize(
    ("how", "within"),  # a GPU draws other noise
    [({}, 0.05), ({"precision": "bfloat16"}, 0.1), ({"compile": True}, 0.05)],
)
def test_a_gpu_learns_what_a_cpu_learns(
    whole: Run, tmp_path: Path, how: dict[str, Any], within: float
) -> None:
    config = TOY.model_copy(update={"device": "cuda", **how})
    found = train(config, CONTRACT, toy_data(config), tmp_path, progress=quiet())
    for ours, cpus in zip(found["history"], whole.metrics["history"], strict=True):
        assert ours["scaled"] == pytest.approx(cpus["scaled"], rel=within)
    assert found["peak_memory_mb"]["cuda_mb"] > 0.0


def test_finetuning_starts_from_the_weights_given(whole: Run, tmp_path: Path) -> None:
    base, done, fine = whole.out, whole.metrics, tmp_path / "fine"
    start = train(TOY, CONTRACT, toy_data(), fine, init=base, progress=quiet())
    assert start["history"][0]["scaled"] == pytest.approx(done["best"]["scaled"], rel=1e-6)
    wider = TOY.model_copy(update={"model": TOY.model.model_copy(update={"width": 64})})
    with pytest.raises(CheckpointError, match="another network"):
        train(wider, CONTRACT, toy_data(), tmp_path / "wider", init=base, progress=quiet())


def test_a_base_serves_a_robot_whose_camera_is_later_but_not_one_that_sees_otherwise(
    whole: Run, tmp_path: Path
) -> None:
    late = CONTRACT.model_copy(update={"depth_stream": StreamContract(lag_ms=60, max_age_ms=150)})
    data = data_of_episodes(toy_episodes(), late, TOY)
    train(TOY, late, data, tmp_path / "late", init=whole.out, progress=quiet())
    assert ck.load_checkpoint(tmp_path / "late", late).config.contract == late
    wide = CONTRACT.model_copy(update={"depth": DepthContract(fov_deg=60.0)})
    with pytest.raises(CheckpointError, match=r"depth\.fov_deg"):
        train(TOY, wide, data, tmp_path / "wide", init=whole.out, progress=quiet())


def test_joints_are_whitened_by_the_run_that_goes_on_not_by_the_one_before(tmp_path: Path) -> None:
    config = TOY.model_copy(update={"whiten": True, "loss_units": "whitened", "max_steps": 2})
    config = config.model_copy(update={"validate_every": 2})
    wide = [replace(e, proprio=3 * e.proprio, action=3 * e.action) for e in toy_episodes()]
    base, fine = tmp_path / "base", tmp_path / "fine"
    train(config, CONTRACT, data_of_episodes(wide, CONTRACT, config), base, progress=quiet())
    train(config, CONTRACT, toy_data(config), fine, init=base, progress=quiet())
    before, after = (ck.load_checkpoint(each).model for each in (base, fine))
    torch.testing.assert_close(before.action_std, 3 * after.action_std, rtol=1e-4, atol=0)
    assert torch.equal(before.vision_mean, after.vision_mean)


def test_a_line_is_written_per_validation_where_there_is_no_terminal(whole: Run) -> None:
    assert len(whole.lines) == 5
    assert all("validation L1" in line and "copying" in line for line in whole.lines)


def test_a_terminal_shows_rate_waiting_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=160)
    with TrainProgress(console) as shown:
        assert shown.due()
        shown.step(step=120, fraction=0.5, loss=0.25, rate=640.0, wait=0.03, left_s=65.0)
    assert "step 120  loss 0.2500  640 samples/s  data wait 3%  ETA 1:05" in text.getvalue()


def test_a_terminal_that_cannot_redraw_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    text = io.StringIO()
    with TrainProgress(Console(file=text, force_terminal=True, width=160)) as shown:
        assert not shown.due()
        shown.line("validation")
    assert text.getvalue().strip() == "validation"
