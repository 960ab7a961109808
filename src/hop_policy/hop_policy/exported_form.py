"""The exported form of a policy: an ONNX graph beside the weights, run by ONNX Runtime.

Two files in the checkpoint directory: the graph with its weights, and a seal that says which
weights and configuration it was made of. What the seal does not fit is refused.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from pydantic import Field
from torch import Tensor

from hop_core.config import Config, validate
from hop_core.errors import CheckpointError, ConfigError
from hop_policy import checkpoint as ck

INPUTS = ("proprio", "vision", "tokens", "valid")
OUTPUTS = ("action", "next_tokens")


class ExportSeal(Config):
    """What an exported form was made of, and from.

    Attributes:
        graph_sha256: of the graph's file.
        weights_sha256: of the weights' file.
        config_hash: of the checkpoint's configuration, its contract included.
        largest_difference: from the eager outputs when it was made, policy units.
        torch, onnxruntime: versions that made and tried it.
    """

    graph_sha256: str
    weights_sha256: str
    config_hash: str
    largest_difference: float = Field(ge=0)
    torch: str
    onnxruntime: str


class ExportedForm:
    """A policy's network as an ONNX graph, on one core; see `PolicyForm`."""

    def __init__(self, graph: bytes) -> None:
        """Prepares the graph.

        Raises:
            CheckpointError: this version of ONNX Runtime cannot run it.
        """
        options = onnxruntime.SessionOptions()
        # One frame is too little work to share: a pool of threads would cost a core.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the classes that it raises have no public name
            raise CheckpointError(
                f"the exported policy does not run on ONNX Runtime {onnxruntime.__version__} "
                f"({str(error).splitlines()[0]}); export it on this machine: hop export"
            ) from error

    def __call__(
        self, proprio: Tensor, vision: Tensor, tokens: Tensor, valid: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """Returns actions and tokens; see `PolicyForm`."""
        given = (proprio.numpy(), vision.numpy(), tokens.numpy(), valid)
        action, following = self._session.run(OUTPUTS, dict(zip(INPUTS, given, strict=True)))
        return torch.from_numpy(action), torch.from_numpy(following)


def has_export(path: Path) -> bool:
    """Returns whether the checkpoint directory `path` holds an exported form, sealed or not."""
    return (path / ck.EXPORT).exists() or (path / ck.EXPORT_SEAL).exists()


def load_export(path: Path) -> ExportedForm:
    """Returns the exported form in the checkpoint directory `path`.

    Raises:
        CheckpointError: there is none, it is damaged, or it was made of other weights or another
            configuration than those beside it.
    """
    for name in (ck.EXPORT, ck.EXPORT_SEAL):
        if not (path / name).is_file():
            raise CheckpointError(f"{path / name} is missing; make it: hop export {path}")
    try:
        seal = validate(ck.read_json(path / ck.EXPORT_SEAL), ExportSeal, str(path / ck.EXPORT_SEAL))
    except ConfigError as error:
        raise CheckpointError(f"{error}; export the policy again: hop export {path}") from error
    graph = _content(path / ck.EXPORT)
    found = {
        "weights_sha256": (file_hash(path / ck.WEIGHTS), f"other weights than {ck.WEIGHTS}"),
        "config_hash": (ck.load_checkpoint_config(path).hash, f"another {ck.CONFIG}"),
        "graph_sha256": (content_hash(graph), "another graph, or this one is damaged"),
    }
    for field, (value, other) in found.items():
        if getattr(seal, field) != value:
            raise CheckpointError(
                f"{path / ck.EXPORT} does not belong to this checkpoint ({field}: it was sealed "
                f"with {other}); export the policy again: hop export {path}"
            )
    return ExportedForm(graph)


def file_hash(path: Path) -> str:
    """Returns the SHA-256 of a file of a checkpoint.

    Raises:
        CheckpointError: it is missing.
    """
    return content_hash(_content(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


def content_hash(content: bytes) -> str:
    """Returns the SHA-256 of `content`, 64 hex digits."""
    return hashlib.sha256(content).hexdigest()
