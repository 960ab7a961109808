"""Facts about the checkpoint directory: what is written comes back, and what is broken is named."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
import yaml
from safetensors.torch import load_file, save

from hop_core.config import config_path, load_config, values_hash
from hop_core.durable_files import replace_files
from hop_core.errors import CheckpointError
from hop_policy import checkpoint as ck
from hop_policy.contract import DepthContract, PolicyContract, VisionKind, load_contract
from hop_policy.encoders import EncoderConfig
from hop_policy.model import PolicyConfig, PolicyModel
from hop_policy.shipped import SHIPPED_TASK, checkpoint_path, shipped_policy
from hop_policy.train_config import TrainConfig

TOY = PolicyConfig(
    layers=1, width=16, heads=2, context=4, encoder=EncoderConfig(channels=(2, 2, 4, 4))
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "policy"
    model = PolicyModel(TOY, PolicyContract())
    ck.save_config(
        path, ck.CheckpointConfig(contract=PolicyContract(), model=TOY, train={"seed": 0})
    )
    ck.save_weights(path, model.state_dict())
    state = {"step": 3, "model": model.state_dict()}
    replace_files(path, {ck.TRAINING_STATE: ck.state_content(state)})
    return path


def test_what_is_saved_comes_back(saved: Path) -> None:
    loaded = ck.load_checkpoint(saved, PolicyContract())
    assert loaded.config.model == TOY
    assert loaded.config.contract == PolicyContract()
    state = ck.load_training_state(saved)
    assert state["step"] == 3
    assert all(torch.equal(v, state["model"][k]) for k, v in loaded.model.state_dict().items())
    assert not list(saved.glob(".*")), "no partial file stays"


def test_another_contract_is_refused_by_field(saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"depth\.far_m is 1\.0 there and 2\.0 here"):
        ck.load_checkpoint(saved, PolicyContract(depth=DepthContract(far_m=2.0)))


def test_missing_files_say_what_to_do(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere is no policy checkpoint"):
        ck.load_checkpoint(tmp_path / "nowhere")
    (saved / ck.WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors is missing"):
        ck.load_checkpoint(saved)
    (saved / ck.TRAINING_STATE).unlink()
    with pytest.raises(CheckpointError, match="nothing to resume"):
        ck.load_training_state(saved)


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_truncated_files_are_refused(saved: Path, keep: int) -> None:
    for name in (ck.WEIGHTS, ck.TRAINING_STATE):
        content = (saved / name).read_bytes()
        (saved / name).write_bytes(content[:keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
        ck.load_checkpoint(saved)
    with pytest.raises(CheckpointError, match=r"training_state\.pt is damaged"):
        ck.load_training_state(saved)


def test_a_changed_bit_of_the_weights_is_found(saved: Path) -> None:
    """They are still numbers. Files of earlier versions tell no sum, and are taken as they are."""
    content = bytearray((saved / ck.WEIGHTS).read_bytes())
    content[-5] ^= 1
    (saved / ck.WEIGHTS).write_bytes(content)
    with pytest.raises(CheckpointError, match="its numbers are not those that were saved"):
        ck.load_checkpoint(saved)
    changed = load_file(saved / ck.WEIGHTS)
    (saved / ck.WEIGHTS).write_bytes(save(changed))
    ck.load_checkpoint(saved)


def test_weights_of_another_network_are_refused(saved: Path) -> None:
    other = PolicyModel(TOY.model_copy(update={"layers": 2}), PolicyContract())
    ck.save_weights(saved, other.state_dict())
    with pytest.raises(CheckpointError, match="does not fit the network"):
        ck.load_checkpoint(saved)


def test_a_checkpoint_outlives_keys_that_are_newer_than_it(saved: Path) -> None:
    values = yaml.safe_load((saved / ck.CONFIG).read_text())
    del values["model"]["encoder"]["view"]
    older = {**values, "hash": values_hash({**values, "hash": ""})}
    (saved / ck.CONFIG).write_text(yaml.safe_dump(older))
    assert ck.load_checkpoint(saved).config.model.encoder.view == "image"


def test_the_shipped_policy_loads() -> None:
    assert ck.load_checkpoint(shipped_policy(SHIPPED_TASK)).model.contract.vision == "depth"


@pytest.mark.parametrize("vision", get_args(VisionKind))
def test_a_base_policy_is_shipped_for_each_kind_of_vision(vision: VisionKind) -> None:
    path = checkpoint_path(Path(f"base_{vision}"))
    base = ck.load_checkpoint(path, load_contract(vision=vision))
    assert base.config.model == load_config(config_path("train.yaml"), TrainConfig).model
    assert sum(file.stat().st_size for file in path.iterdir()) < 10e6
    told = ck.read_json(path / ck.PROVENANCE)
    assert told["command"][:2] == ["hop", "pretrain"]
    assert all(name.startswith("synthetic_") for name in told["training_tracks"])  # our own


def test_a_checkpoint_is_a_folder_or_the_name_of_a_shipped_one(saved: Path) -> None:
    assert checkpoint_path(saved) == saved
    assert checkpoint_path(Path(SHIPPED_TASK)) == shipped_policy(SHIPPED_TASK)
    with pytest.raises(CheckpointError, match=rf"nor a shipped checkpoint \(.*{SHIPPED_TASK}.*\)"):
        checkpoint_path(Path("base_of_nothing"))


def test_an_edited_configuration_is_refused(saved: Path) -> None:
    file = saved / ck.CONFIG
    file.write_text(file.read_text().replace("label_offset_ms: 50", "label_offset_ms: 0"))
    with pytest.raises(CheckpointError, match="changed after training"):
        ck.load_checkpoint(saved)


def test_a_pickle_that_runs_code_is_not_run(saved: Path) -> None:
    marker = saved / "ran"
    torch.save({"step": _Touch(str(marker))}, saved / ck.TRAINING_STATE)
    with pytest.raises(CheckpointError, match=r"training_state\.pt holds \w+\.open, which is"):
        ck.load_training_state(saved)
    assert not marker.exists()


class _Touch:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")
