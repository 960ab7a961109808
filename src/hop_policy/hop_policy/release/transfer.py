"""Release checkpoints become checkpoint directories, and checkpoint directories become files."""

from __future__ import annotations

import hashlib
import io
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hop_core.durable_files import replace_file, replace_files
from hop_core.errors import CheckpointError, ConfigError
from hop_core.release_frame import ReleaseFrame
from hop_policy import checkpoint as ck
from hop_policy.contract import PolicyContract
from hop_policy.episode_info import software_version
from hop_policy.model import PolicyModel, parameter_count
from hop_policy.release.entries import MODEL, require_entries
from hop_policy.release.weights import (
    Tensors,
    blank_unused_entries,
    to_ours,
    to_release,
    unused_entries,
)
from hop_policy.torch_file import read_torch_file

SOURCE = "HOP release"
_ACTOR = "actor."
_ROOM = "make room and start again"


@dataclass(frozen=True)
class ReleaseFile:
    """What a file of the release holds.

    Attributes:
        entries: the 73, by name.
        left_out: names of what is not the policy's: the critic and its like.
    """

    entries: Tensors
    left_out: tuple[str, ...]


def read_release(path: Path) -> ReleaseFile:
    """Returns the policy in `path`: a checkpoint of pretraining, or the actor in one of PPO.

    Raises:
        CheckpointError: naming file and entry: it is damaged, holds more than tensors and numbers,
            or another network.
    """
    found = read_torch_file(path, "copy it again")
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{path} holds a {type(found).__name__}, no tensors by name")
    if not isinstance(found.get("model"), Mapping):
        return ReleaseFile(require_entries(found, str(path)), ())
    for name in ("proprio_mean_std", "pc_mean_std"):
        if name in found:
            raise CheckpointError(
                f"{path}: {name} says that the actor's inputs were normalised by running figures, "
                "which this import does not take over; import one trained without that"
            )
    model = found["model"]
    names = [str(name) for name in model]
    actor = {name[len(_ACTOR) :]: model[name] for name in names if name.startswith(_ACTOR)}
    others = (name.split(".")[0] for name in (*map(str, found), *names))
    left_out = tuple(name for name in dict.fromkeys(others) if name not in ("model", "actor"))
    return ReleaseFile(require_entries(actor, f"{path}: model.actor"), left_out)


def import_checkpoint(
    path: Path, out: Path, contract: PolicyContract, frame: ReleaseFrame
) -> ReleaseFile:
    """Makes the checkpoint directory `out` from the release's file `path`, whole or not at all.

    Args:
        path: the file.
        out: the directory, which must not exist or be empty.
        contract: what our network sees and does by: point clouds.
        frame: of the release's clouds.

    Raises:
        ConfigError: the contract differs from what the release's network was trained by.
        CheckpointError: the file is not usable, or `out` is not free.
    """
    field = _other_meaning(contract)
    if field:
        raise ConfigError(
            f"policy.yaml: {field}: the release's network was trained by another value; import it "
            "with the default"
        )
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise CheckpointError(f"{out} is there already; choose another output directory")
    found = read_release(path)
    state = to_ours(found.entries, contract, frame)
    model = PolicyModel(MODEL, contract)
    model.load_state_dict(state)
    about = _provenance(path, found, frame)
    contents = {
        ck.WEIGHTS: ck.weights_content(model.state_dict()),
        ck.RELEASE_REST: ck.weights_content(unused_entries(found.entries)),
        ck.METRICS: ck.json_content({"parameters": parameter_count(model)}),
        ck.PROVENANCE: ck.json_content(about),
        # Last: without it, a directory is no checkpoint.
        ck.CONFIG: ck.config_content(ck.CheckpointConfig(contract=contract, model=MODEL)),
    }
    with ck.writing(out, _ROOM):
        out.mkdir(parents=True, exist_ok=True)
        replace_files(out, contents)
    return found


def export_checkpoint(path: Path, file: Path, frame: ReleaseFrame) -> tuple[str, ...]:
    """Writes the checkpoint directory `path` as a file of the release.

    Returns:
        What the file could not be given from the checkpoint, or the checkpoint could not give to
        it, as sentences.

    Raises:
        CheckpointError: the checkpoint is not usable, or not of the release's kind and size; or
            `file` is there already.
    """
    if file.exists():
        raise CheckpointError(f"{file} is there already; choose another name, or remove it")
    loaded = ck.load_checkpoint(path)
    _require_release_network(loaded)
    remarks = []
    unused = blank_unused_entries()
    if (path / ck.RELEASE_REST).exists():
        unused |= ck.read_weights(path / ck.RELEASE_REST)
    else:
        remarks.append("the proprioception head and the rows of the time table beyond 16 are zero")
    if loaded.config.model.foresight:
        remarks.append("the foresight head, which serves training alone, is left out")
    entries = to_release(loaded.model.state_dict(), unused, loaded.config.contract, frame)
    content = io.BytesIO()
    torch.save(OrderedDict(require_entries(entries, str(path))), content)
    with ck.writing(file, _ROOM):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, content.getvalue())
    return tuple(remarks)


def _other_meaning(contract: PolicyContract) -> str:
    """Returns by which field numbers of `contract` mean something else than the release's; ""."""
    release = PolicyContract(vision="point_cloud")
    fields: dict[str, tuple[object, object]] = {
        "vision": (contract.vision, release.vision),
        "policy_hz": (contract.policy_hz, release.policy_hz),
        "point_cloud.points": (contract.point_cloud.points, release.point_cloud.points),
        "policy_lower and policy_upper": (_scale(contract), _scale(release)),
    }
    return next((name for name, (here, there) in fields.items() if here != there), "")


def _scale(contract: PolicyContract) -> dict[str, tuple[float, float]]:
    ends = zip(contract.policy_lower, contract.policy_upper, strict=True)
    return dict(zip(contract.joint_names, ends, strict=True))


def _require_release_network(loaded: ck.Checkpoint) -> None:
    config, contract = loaded.config.model, loaded.config.contract
    if contract.vision != "point_cloud":
        raise CheckpointError(
            f"{loaded.path} sees {contract.vision}: the entries of the release's depth policy are "
            "not documented; only point-cloud policies are exported"
        )
    field = _other_meaning(contract)
    if field:
        raise CheckpointError(
            f"{loaded.path} has a contract whose {field} is another than the release's; only "
            "policies that mean the same by their numbers are exported"
        )
    sizes: dict[str, tuple[int, int]] = {
        name: (getattr(config, name), getattr(MODEL, name))
        for name in ("layers", "width", "heads", "context")
    }
    sizes["encoder.points_width"] = (config.encoder.points_width or config.width, MODEL.width)
    for name, (here, there) in sizes.items():
        if here != there:
            raise CheckpointError(
                f"{loaded.path} has model.{name} {here}, the release's network has {there}; only "
                "that one (train_paper.yaml) has an exported form"
            )


def _provenance(path: Path, found: ReleaseFile, frame: ReleaseFrame) -> dict[str, Any]:
    return {
        "source": SOURCE,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "part": "model.actor of a PPO checkpoint" if found.left_out else "pretrained policy",
        "left_out": list(found.left_out),
        "frame": frame.model_dump(mode="json"),
        "software": software_version(),
    }
