"""Making the exported form of a policy, and trying it against the eager one before it is kept."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from hop_core.durable_files import replace_files
from hop_core.errors import CheckpointError
from hop_policy import checkpoint as ck
from hop_policy.contract import DepthContract
from hop_policy.exported_form import (
    INPUTS,
    OUTPUTS,
    ExportedForm,
    ExportSeal,
    content_hash,
    file_hash,
)
from hop_policy.inference import Policy
from hop_policy.model import PolicyModel
from hop_policy.observation import JointScaling, Observation

TOLERANCE = 1e-5
"""Largest difference from the eager outputs, policy units."""
_TRIAL_ROBOTS = 3
_MOST_ROBOTS = 65536


class _Tick(nn.Module):
    """One tick of a network with a history of fixed length, padded where it is shorter."""

    def __init__(self, model: PolicyModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, proprio: Tensor, vision: Tensor, tokens: Tensor, valid: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Returns actions and tokens; see `hop_policy.policy_forms.PolicyForm`."""
        tokens = torch.cat([tokens[:, 1:], self.model.encode(proprio, vision)[:, None]], dim=1)
        return self.model.decode(tokens, valid)[:, -1], tokens


def export_graph(model: PolicyModel) -> bytes:
    """Returns `model` with its weights as an ONNX graph for any number of robots."""
    config, robots = model.config, 2  # torch takes an example of 1 for a constant
    example = (
        torch.zeros(robots, len(model.contract.joint_names)),
        torch.zeros(robots, *model.contract.vision_shape),
        torch.zeros(robots, config.context, 2, config.width),
        torch.ones(robots, config.context, dtype=torch.bool),
    )
    batch = torch.export.Dim("batch", min=1, max=_MOST_ROBOTS)
    with _quiet():
        program = torch.onnx.export(
            _Tick(model.eval()),
            example,
            dynamo=True,
            verbose=False,
            input_names=INPUTS,
            output_names=OUTPUTS,
            dynamic_shapes=({0: batch},) * len(example),
        )
    if program is None:
        raise CheckpointError("torch made no ONNX graph of the policy; run the eager form")
    return bytes(program.model_proto.SerializeToString())


def export_policy(path: Path) -> ExportSeal:
    """Writes the exported form of the checkpoint directory `path` into it; returns its seal.

    Raises:
        CheckpointError: the checkpoint is not usable or changed meanwhile, the exported form
            differs from the eager one by more than `TOLERANCE`, or the disk refuses.
        ModelError: the network's output is not finite.
    """
    ck.load_checkpoint_config(path)  # what is no checkpoint is told as that
    weights_sha256 = file_hash(path / ck.WEIGHTS)
    loaded = ck.load_checkpoint(path)
    graph = export_graph(loaded.model)
    difference = largest_difference(loaded.model, ExportedForm(graph))
    if not difference <= TOLERANCE:
        raise CheckpointError(
            f"the exported form of {path} differs from the eager one by {difference:.1e} policy "
            f"units, more than {TOLERANCE:.0e}; it was not kept: run the eager form"
        )
    if file_hash(path / ck.WEIGHTS) != weights_sha256:
        raise CheckpointError(
            f"{path / ck.WEIGHTS} changed while it was exported: export again when its training "
            f"has ended"
        )
    seal = ExportSeal(
        graph_sha256=content_hash(graph),
        weights_sha256=weights_sha256,
        config_hash=loaded.config.hash,
        largest_difference=difference,
        torch=torch.__version__,
        onnxruntime=onnxruntime.__version__,
    )
    with ck.writing(path, "make room and export again"):
        sealed = ck.json_content(seal.model_dump(mode="json"))
        replace_files(path, {ck.EXPORT: graph, ck.EXPORT_SEAL: sealed})
    return seal


def largest_difference(model: PolicyModel, exported: ExportedForm, ticks: int = 40) -> float:
    """Returns how far the exported outputs are from the eager ones, policy units.

    Over `ticks` of robots whose histories begin anew at different times, on plausible observations.
    """
    rng = np.random.default_rng(0)
    eager = Policy(model, _TRIAL_ROBOTS)
    other = Policy(model, _TRIAL_ROBOTS, exported=exported)
    scaling = JointScaling(model.contract)
    largest = 0.0
    for tick in range(ticks):
        if tick % 7 == 5:
            restarted = rng.integers(0, 2, _TRIAL_ROBOTS).astype(bool)
            eager.reset(restarted)
            other.reset(restarted)
        seen = plausible_observation(rng, model, _TRIAL_ROBOTS)
        gap = scaling.scale(other.act(seen)) - scaling.scale(eager.act(seen))
        largest = max(largest, float(np.abs(gap).max()))
    return largest


def plausible_observation(rng: np.random.Generator, model: PolicyModel, robots: int) -> Observation:
    """Returns what `robots` may see: joints and points like the training set's, tables askew."""
    contract = model.contract
    joints = (robots, len(contract.joint_names))
    proprio = _draw(rng, model.proprio_mean, model.proprio_std, joints)
    if contract.vision == "depth":
        return Observation(proprio, _tables_askew(rng, contract.depth, robots))
    points = (robots, *contract.vision_shape)
    return Observation(proprio, _draw(rng, model.vision_mean, model.vision_std, points))


def _tables_askew(rng: np.random.Generator, depth: DepthContract, robots: int) -> np.ndarray:
    """Returns depth (robots, H, W) [m] of a table for each, with uneven things on it."""
    size, each = depth.size_px, (robots, 1, 1)
    top_m, bottom_m = rng.uniform(0.7, 1.0, each), rng.uniform(0.35, 0.5, each)
    down = np.linspace(0.0, 1.0, size)[:, None]
    table_m = 1.0 / ((1.0 - down) / top_m + down / bottom_m)  # inverse depth on a plane is linear
    seen_m = table_m + rng.normal(0.0, 0.02, (robots, size, size))
    return np.asarray(seen_m.clip(depth.near_m, depth.far_m), np.float32)


def _draw(
    rng: np.random.Generator, mean: Tensor, std: Tensor, shape: tuple[int, ...]
) -> np.ndarray:
    spread = rng.normal(size=shape).astype(np.float32)
    return np.asarray(mean.numpy() + std.numpy() * spread)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps what torch says about its own exporter off the terminal."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
