"""The checkpoint directory: weights, resolved configuration with its contract, metrics, provenance.

The files of a save are written beside their names and, once all are on the disk, renamed in a row:
a full disk leaves those of the save before, a kill at any moment leaves every file whole. Nothing
is ever unpickled freely: weights are safetensors, and the training state is read by torch's
weights-only loader.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from hop_core.config import Config, config_hash, load_config, values_hash
from hop_core.durable_files import replace_file
from hop_core.errors import CheckpointError, ConfigError
from hop_core.robot_config import CameraPose
from hop_policy.cameras import require_camera
from hop_policy.checkpoint_files import CONFIG as CONFIG
from hop_policy.checkpoint_files import EXPORT as EXPORT
from hop_policy.checkpoint_files import EXPORT_SEAL as EXPORT_SEAL
from hop_policy.checkpoint_files import LAST_WEIGHTS as LAST_WEIGHTS
from hop_policy.checkpoint_files import METRICS as METRICS
from hop_policy.checkpoint_files import PROVENANCE as PROVENANCE
from hop_policy.checkpoint_files import RELEASE_REST as RELEASE_REST
from hop_policy.checkpoint_files import TRAINING_STATE as TRAINING_STATE
from hop_policy.checkpoint_files import WEIGHTS as WEIGHTS
from hop_policy.contract import PolicyContract
from hop_policy.model import PolicyConfig, PolicyModel
from hop_policy.torch_file import read_torch_file

_SUM = "sha256"
"""Key of a weights file's metadata: a hash of its tensors, which files of earlier versions lack."""


class CheckpointConfig(Config):
    """What `config.yaml` of a checkpoint holds.

    Attributes:
        hash: hash of all that follows.
        contract: what data and robot must share with this policy.
        model: shape of the network.
        train: the trainer's resolved configuration; a record, not needed to run the policy.
        cameras: where they stood in the images that it learnt from; empty: not known, or it learnt
            from point clouds.
    """

    hash: str = ""
    contract: PolicyContract
    model: PolicyConfig
    train: dict[str, Any] = Field(default_factory=dict)
    cameras: tuple[CameraPose, ...] = ()

    @property
    def camera_is_unknown(self) -> bool:
        """Whether it looks through a camera, and nothing tells where that has to stand."""
        return self.contract.vision == "depth" and not self.cameras

    def sealed(self) -> CheckpointConfig:
        """Returns this with its hash filled in."""
        return self.model_copy(update={"hash": config_hash(self.model_copy(update={"hash": ""}))})


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read from disk: the network in evaluation mode, and what is known about it."""

    path: Path
    config: CheckpointConfig
    model: PolicyModel


def load_checkpoint(
    path: Path | str,
    contract: PolicyContract | None = None,
    weights: str = WEIGHTS,
    camera: CameraPose | None = None,
) -> Checkpoint:
    """Returns the checkpoint in the directory `path`.

    Args:
        path: the directory.
        contract: what the caller observes and does by; a checkpoint of another is refused.
        weights: file to take the weights from: `WEIGHTS` (best) or `LAST_WEIGHTS`.
        camera: what it is to look through; a checkpoint that learnt from elsewhere is refused.

    Raises:
        CheckpointError: a file is missing, damaged or does not fit the others, or the contract
            or the place of the camera differs.
    """
    path = Path(path)
    config = load_checkpoint_config(path)
    if contract is not None:
        contract.require_equal(config.contract, str(path))
    if camera is not None and config.contract.vision == "depth":
        require_camera(config.cameras, camera, str(path))
    model = PolicyModel(config.model, config.contract)
    try:
        model.load_state_dict(read_weights(path / weights))
    except RuntimeError as error:
        raise CheckpointError(
            f"{path / weights} does not fit the network that {path / CONFIG} describes; "
            f"the files are of different runs: copy the whole directory again"
        ) from error
    model.eval()
    return Checkpoint(path, config, model)


def load_start(path: Path, contract: PolicyContract, network: PolicyConfig) -> Checkpoint:
    """Returns the checkpoint `path`, from whose weights a run of that network may start.

    How old its samples were does not matter: the run learns that from its own, and trajectories for
    pretraining have no lag at all.

    Raises:
        CheckpointError: it is damaged, of another contract but for that, or of another shape.
    """
    start = load_checkpoint(path, contract.with_ages_of(load_checkpoint_config(path).contract))
    if start.config.model != network:
        raise CheckpointError(
            f"{path} has another network ({start.config.model}) than this run ({network}); use "
            "its model section in the training configuration"
        )
    return start


def load_checkpoint_config(path: Path) -> CheckpointConfig:
    """Returns the configuration of the checkpoint directory `path`.

    Raises:
        CheckpointError: it is missing, invalid or was edited by hand.
    """
    if not (path / CONFIG).is_file():
        raise CheckpointError(f"{path} is no policy checkpoint: it has no {CONFIG}; check the path")
    try:
        config = load_config(path / CONFIG, CheckpointConfig)
    except ConfigError as error:
        raise CheckpointError(f"the checkpoint's configuration is not usable: {error}") from error
    # Of what the file says: a key that is newer than the file has its default, and no part in it.
    said = config.model_dump(mode="json", exclude_unset=True)
    if values_hash({**said, "hash": ""}) != config.hash:
        raise CheckpointError(
            f"{path / CONFIG} was changed after training (hash {config.hash} does not fit its "
            f"content); restore the file"
        )
    return config


def read_weights(path: Path) -> dict[str, Tensor]:
    """Returns the tensors of a safetensors file; those that tell their sum are held to it.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    if not path.is_file():
        raise CheckpointError(
            f"{path} is missing: training was stopped before its first save, or the copy is "
            f"incomplete; resume it (hop finetune --resume) or copy the directory again"
        )
    try:
        with safe_open(path, "pt") as file:
            told = (file.metadata() or {}).get(_SUM)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); copy or train it again") from error
    if told is not None and told != _sum_of(tensors):
        raise CheckpointError(
            f"{path} is damaged (its numbers are not those that were saved); copy or train it again"
        )
    return tensors


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file of a checkpoint.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is missing or damaged ({error}); copy it again") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} must hold a JSON object; copy it again")
    return value


def load_training_state(path: Path) -> dict[str, Any]:
    """Returns the training state of the checkpoint directory `path`.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    file = path / TRAINING_STATE
    if not file.is_file():
        raise CheckpointError(
            f"{file} is missing: there is nothing to resume; train without --resume"
        )
    remedy = "train again into another output directory"
    state = read_torch_file(file, remedy)
    if not isinstance(state, dict):
        raise CheckpointError(f"{file} holds no training state; {remedy}")
    return state


def save_config(path: Path, config: CheckpointConfig) -> None:
    """Writes `config.yaml` with its hash; creates the directory."""
    path.mkdir(parents=True, exist_ok=True)
    replace_file(path / CONFIG, config_content(config))


def save_weights(path: Path, tensors: Mapping[str, Tensor], name: str = WEIGHTS) -> None:
    """Writes the weights file `name`."""
    replace_file(path / name, weights_content(tensors))


def save_json(path: Path, name: str, value: Mapping[str, Any]) -> None:
    """Writes a JSON file (`METRICS` or `PROVENANCE`)."""
    replace_file(path / name, json_content(value))


def config_content(config: CheckpointConfig) -> bytes:
    """Returns what `config.yaml` holds, with its hash."""
    text = yaml.safe_dump(config.sealed().model_dump(mode="json"), sort_keys=False, width=100)
    return text.encode()


def weights_content(tensors: Mapping[str, Tensor]) -> bytes:
    """Returns what a weights file holds: the tensors, and a sum of them."""
    mine = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    return save(mine, metadata={_SUM: _sum_of(mine)})


def _sum_of(tensors: Mapping[str, Tensor]) -> str:
    """Returns a hash of names, types, shapes and numbers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def json_content(value: Mapping[str, Any]) -> bytes:
    """Returns what a JSON file holds."""
    return (json.dumps(value, indent=2) + "\n").encode()


def state_content(state: Mapping[str, Any]) -> bytes:
    """Returns what the training state's file holds: what resuming needs.

    Args:
        state: tensors, numbers, strings and containers of them only.
    """
    content = io.BytesIO()  # torch's own writer would tell a full disk as a damaged archive
    torch.save(dict(state), content)
    return content.getvalue()


_RESUME = "make room and go on with --resume"
_ELSEWHERE = "make room, or choose another output directory"


@contextmanager
def writing(path: Path, remedy: str = "") -> Iterator[None]:
    """Tells what stops the files of `path` from being written; each stays as it was.

    Args:
        path: what is written.
        remedy: what to do about it, for the message; by default that of a run in the directory
            `path`, which can be resumed once it has saved its training state.

    Raises:
        CheckpointError: the disk is full, or the directory may not be written to.
    """
    try:
        yield
    except OSError as error:
        resumable = (path / TRAINING_STATE).is_file()
        raise CheckpointError(
            f"{path} cannot be written: {error.strerror or error}; what was saved before is whole: "
            f"{remedy or (_RESUME if resumable else _ELSEWHERE)}"
        ) from error
