"""Facts about the exported form: the eager targets, and refused where it does not belong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from hop_core.errors import CheckpointError, ConfigError, ModelError
from hop_policy import checkpoint as ck
from hop_policy import export_cli
from hop_policy.contract import PolicyContract, VisionKind
from hop_policy.export import (
    TOLERANCE,
    export_graph,
    export_policy,
    plausible_observation,
)
from hop_policy.exported_form import content_hash
from hop_policy.inference import Policy
from hop_policy.model import PolicyConfig, PolicyModel
from hop_policy.observation import Observation

pytestmark = pytest.mark.timeout(300)  # torch's exporter takes seconds, minutes on a busy machine
RESETS = {3: [0], 21: [0, 1, 2], 37: [1], 38: [0, 1], 60: [2]}


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, shipped_network: PolicyConfig
) -> dict[VisionKind, Path]:
    """Checkpoints with random weights that whiten, exported by the command."""
    folder = tmp_path_factory.mktemp("policies")
    return {
        vision: make(folder / vision, vision, shipped_network)
        for vision in ("depth", "point_cloud")
    }


def make(path: Path, vision: VisionKind, network: PolicyConfig) -> Path:
    torch.manual_seed(0)
    contract = PolicyContract(vision=vision)
    model = PolicyModel(network, contract)
    std = 0.1 + torch.rand(23)
    model.set_whitening(
        **{"proprio_mean": 0.2 * torch.randn(23), "proprio_std": std},
        **{"action_mean": 0.2 * torch.randn(23), "action_std": std},
    )
    with torch.no_grad():
        for weights in (model.action_head.weight, model.embed_time.weight):
            weights.normal_()
    ck.save_config(path, ck.CheckpointConfig(contract=contract, model=network))
    for name in (ck.WEIGHTS, ck.LAST_WEIGHTS):
        ck.save_weights(path, model.state_dict(), name)
    assert export_cli.main([str(path)]) == 0
    return path


@pytest.fixture
def copied(exported: dict[VisionKind, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported["depth"], tmp_path / "policy"))


@pytest.mark.parametrize("vision", ["depth", "point_cloud"])
@pytest.mark.parametrize("batch", [1, 3])
def test_the_exported_form_gives_the_eager_targets(
    exported: dict[VisionKind, Path], vision: VisionKind, batch: int
) -> None:
    """Over 100 ticks: beginnings of episodes, resets of some robots and of all."""
    eager = Policy.load(exported[vision], batch=batch, form="eager")
    other = Policy.load(exported[vision], batch=batch)
    assert (eager.form, other.form) == ("eager", "exported")
    rng = np.random.default_rng(0)
    span = np.subtract(eager.contract.policy_upper, eager.contract.policy_lower)
    targets = []
    for tick in range(100):
        if tick in RESETS:
            robots = np.array([robot for robot in RESETS[tick] if robot < batch], dtype=np.intp)
            eager.reset(robots)
            other.reset(robots)
        seen = plausible_observation(rng, eager.model, batch)
        targets.append(eager.act(seen))
        difference = 2 * np.abs(other.act(seen) - targets[-1]) / span
        assert difference.max() <= TOLERANCE == 1e-5
    assert np.std(targets, axis=0).min() > 1e-3, "the targets answer the observations"


@pytest.mark.parametrize("vision", ["depth", "point_cloud"])
def test_the_exported_form_answers_what_it_sees(
    exported: dict[VisionKind, Path], vision: VisionKind
) -> None:
    policy, rng = Policy.load(exported[vision], batch=8), np.random.default_rng(0)
    seen = plausible_observation(rng, policy.model, 8)
    targets = policy.act(Observation(np.zeros_like(seen.proprio), seen.vision))
    assert np.std(targets, axis=0).min() > 1e-4


def test_warm_up_leaves_no_trace(exported: dict[VisionKind, Path]) -> None:
    warm, cold = (Policy.load(exported["depth"]) for _ in range(2))
    warm.warm_up(3)
    rng = np.random.default_rng(0)
    for _ in range(3):
        seen = plausible_observation(rng, warm.model, 1)
        np.testing.assert_array_equal(warm.act(seen), cold.act(seen))


def test_a_reset_frees_the_exported_form_of_what_broke_it(
    exported: dict[VisionKind, Path],
) -> None:
    broken, fresh = (Policy.load(exported["depth"]) for _ in range(2))
    seen = plausible_observation(np.random.default_rng(0), broken.model, 1)
    with pytest.raises(ModelError, match="not finite"):
        broken.act(Observation(np.full((1, 23), np.nan, np.float32), seen.vision))
    broken.reset()
    np.testing.assert_array_equal(broken.act(seen), fresh.act(seen))


def test_the_exported_form_is_of_the_best_weights_on_the_cpu(copied: Path) -> None:
    assert Policy.load(copied, weights=ck.LAST_WEIGHTS).form == "eager"
    with pytest.raises(ConfigError, match=r"not of model_last\.safetensors on cpu"):
        Policy.load(copied, weights=ck.LAST_WEIGHTS, form="exported")
    for name in (ck.EXPORT, ck.EXPORT_SEAL):
        (copied / name).unlink()
    assert Policy.load(copied).form == "eager"
    with pytest.raises(CheckpointError, match=r"policy\.onnx is missing; make it: hop export"):
        Policy.load(copied, form="exported")


def spoil(path: Path, fault: str) -> None:
    """Put something beside the exported form that it was not made of."""
    config = ck.load_checkpoint_config(path)
    match fault:
        case "trained on":
            weights = ck.read_weights(path / ck.WEIGHTS)
            ck.save_weights(path, {name: value + 1 for name, value in weights.items()})
        case "other contract":
            contract = config.contract.model_copy(update={"label_offset_ms": 0})
            ck.save_config(path, config.model_copy(update={"contract": contract}))
        case "damaged":
            graph = bytearray((path / ck.EXPORT).read_bytes())
            graph[len(graph) // 2] ^= 1
            (path / ck.EXPORT).write_bytes(bytes(graph))
        case "truncated":
            (path / ck.EXPORT).write_bytes((path / ck.EXPORT).read_bytes()[:1000])
        case "no seal":
            (path / ck.EXPORT_SEAL).unlink()
        case "other seal":
            ck.save_json(path, ck.EXPORT_SEAL, {"graph_sha256": "0"})


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("trained on", r"policy\.onnx does not belong .*\(weights_sha256"),
        ("other contract", r"policy\.onnx does not belong .*\(config_hash"),
        ("damaged", r"policy\.onnx does not belong .*\(graph_sha256"),
        ("truncated", r"policy\.onnx does not belong .*\(graph_sha256"),
        ("no seal", r"policy\.onnx\.json is missing; make it: hop export"),
        ("other seal", r"policy\.onnx\.json: weights_sha256: .*; export the policy again"),
    ],
)
def test_what_does_not_belong_to_the_weights_is_refused(
    copied: Path, fault: str, message: str
) -> None:
    spoil(copied, fault)
    with pytest.raises(CheckpointError, match=message) as told:
        Policy.load(copied)
    assert "\n" not in str(told.value)
    assert Policy.load(copied, form="eager").form == "eager"


def test_weights_that_change_meanwhile_are_not_sealed(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train_on(model: PolicyModel) -> bytes:
        spoil(copied, "trained on")
        return graph_of(model)

    graph_of = export_graph
    before = (copied / ck.EXPORT_SEAL).read_bytes()
    monkeypatch.setattr("hop_policy.export.export_graph", train_on)
    with pytest.raises(CheckpointError, match=r"model\.safetensors changed while it was exported"):
        export_policy(copied)
    assert (copied / ck.EXPORT_SEAL).read_bytes() == before


def test_a_graph_that_does_not_run_is_told(copied: Path) -> None:
    graph = b"no graph"
    (copied / ck.EXPORT).write_bytes(graph)
    seal = json.loads((copied / ck.EXPORT_SEAL).read_text())
    ck.save_json(copied, ck.EXPORT_SEAL, {**seal, "graph_sha256": content_hash(graph)})
    with pytest.raises(CheckpointError, match="does not run on ONNX Runtime"):
        Policy.load(copied)


def test_an_export_that_differs_is_not_kept(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = (copied / ck.EXPORT).read_bytes()
    monkeypatch.setattr("hop_policy.export.export_graph", lambda _model: graph)
    (copied / ck.EXPORT).write_bytes(b"the one before")
    weights = ck.read_weights(copied / ck.WEIGHTS)
    weights["action_head.bias"] += 1e-3
    ck.save_weights(copied, weights)
    before = {file.name: file.read_bytes() for file in copied.iterdir()}
    with pytest.raises(CheckpointError, match=r"differs from the eager one .* was not kept"):
        export_cli.main([str(copied)])
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == before
    with pytest.raises(CheckpointError, match="is no policy checkpoint"):
        export_cli.main([str(copied / "nowhere")])
