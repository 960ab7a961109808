"""The release's weights as ours, and ours as the release's.

Three things differ beside names. Matrices of the transformer are transposed. Joints are in the
release's order, so columns of the embedding and rows of the action head change places. Clouds are
in its env frame: the turn is folded into the first layer on the points, the shift into the mean
that our network takes off its points. With the release's quarter turn both are exact, so a round
trip gives every bit back.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from hop_core.embodiment import HOP_SIM_JOINTS, joint_index
from hop_core.release_frame import ReleaseFrame
from hop_policy.contract import PolicyContract
from hop_policy.release.entries import (
    LIVE_TIME_ROWS,
    MASKED,
    MODEL,
    causal_mask,
    entry_shapes,
    is_buffer,
)

Tensors = dict[str, Tensor]
TIME, OUR_TIME = "embed_timestep.weight", "embed_time.weight"
_UNUSED_HEAD = ("predict_proprio.0.weight", "predict_proprio.0.bias")
_PROPRIO, _POINTS, _ACTION = "embed_proprio", "embed_vision.points.0", "action_head"


def to_ours(
    entries: Mapping[str, Tensor], contract: PolicyContract, frame: ReleaseFrame
) -> Tensors:
    """Returns the state of our network that does what the release's does with `entries`.

    Args:
        entries: of a release checkpoint, complete (`require_entries`).
        contract: of our network; point clouds.
        frame: of the release's clouds.
    """
    state = {
        ours: entries[theirs].T.contiguous() if turned else entries[theirs].clone()
        for theirs, ours, turned in _same_tensors()
    }
    state[OUR_TIME] = entries[TIME][:LIVE_TIME_ROWS].clone()
    order = joint_index(HOP_SIM_JOINTS, contract.joint_names)
    state[f"{_PROPRIO}.weight"] = state[f"{_PROPRIO}.weight"][:, order]
    for kind in ("weight", "bias"):
        state[f"{_ACTION}.{kind}"] = state[f"{_ACTION}.{kind}"][order]
    points = state[f"{_POINTS}.weight"].double()
    state[f"{_POINTS}.weight"] = (points @ _rotation(frame)).float()
    state["vision_mean"], state["vision_std"] = _env_origin(frame), torch.ones(3)
    for name in ("proprio", "action"):
        state[f"{name}_mean"], state[f"{name}_std"] = (
            torch.zeros(len(order)),
            torch.ones(len(order)),
        )
    return state


def unused_entries(entries: Mapping[str, Tensor]) -> Tensors:
    """Returns what our network has no place for: dead rows, an untrained head, masks."""
    buffers = {name: value for name, value in entries.items() if is_buffer(name)}
    head = {name: entries[name] for name in _UNUSED_HEAD}
    return {TIME: entries[TIME][LIVE_TIME_ROWS:].clone(), **head, **buffers}


def blank_unused_entries() -> Tensors:
    """Returns `unused_entries` for a network that the release never held: zeros, causal masks."""
    shapes = entry_shapes()
    rows, width = shapes[TIME]
    rest = {TIME: torch.zeros(rows - LIVE_TIME_ROWS, width)}
    rest |= {name: torch.zeros(shapes[name]) for name in _UNUSED_HEAD}
    for name in filter(is_buffer, shapes):
        rest[name] = causal_mask() if shapes[name] else torch.tensor(MASKED)
    return rest


def to_release(
    state: Mapping[str, Tensor],
    unused: Mapping[str, Tensor],
    contract: PolicyContract,
    frame: ReleaseFrame,
) -> Tensors:
    """Returns the release's 73 entries of our network, in its order; the inverse of `to_ours`.

    What our network whitens with is folded into the layers beside it: exact where it whitens
    nothing, and rounded once to float32 elsewhere.

    Args:
        state: of a network of the release's size on point clouds.
        unused: from `unused_entries` or `blank_unused_entries`.
        contract: of our network.
        frame: of the release's clouds.
    """
    plain = {**state, **_without_whitening(state, frame)}
    entries = {
        theirs: plain[ours].T.contiguous() if turned else plain[ours].clone()
        for theirs, ours, turned in _same_tensors()
    }
    order = joint_index(contract.joint_names, HOP_SIM_JOINTS)
    entries["embed_proprio.weight"] = entries["embed_proprio.weight"][:, order].contiguous()
    for name in ("predict_action.0.weight", "predict_action.0.bias"):
        entries[name] = entries[name][order]
    entries |= unused
    entries[TIME] = torch.cat([state[OUR_TIME], unused[TIME]])
    return {name: entries[name] for name in entry_shapes()}


def _without_whitening(state: Mapping[str, Tensor], frame: ReleaseFrame) -> Tensors:
    """Returns the layers beside inputs and output for a network that whitens nothing.

    Its points are in the env frame: p_base = R^T (p_env - t), with the env's origin -R^T t.
    """
    proprio_mean, proprio_std = (state[f"proprio_{of}"].double() for of in ("mean", "std"))
    action_mean, action_std = (state[f"action_{of}"].double() for of in ("mean", "std"))
    origin = (_env_origin(frame) - state["vision_mean"]).double()
    joints = state[f"{_PROPRIO}.weight"].double() / proprio_std
    points = state[f"{_POINTS}.weight"].double() / state["vision_std"].double()
    wide = {
        f"{_PROPRIO}.weight": joints,
        f"{_PROPRIO}.bias": state[f"{_PROPRIO}.bias"].double() - joints @ proprio_mean,
        f"{_POINTS}.weight": points @ _rotation(frame).T,
        f"{_POINTS}.bias": state[f"{_POINTS}.bias"].double() + points @ origin,
        f"{_ACTION}.weight": state[f"{_ACTION}.weight"].double() * action_std[:, None],
        f"{_ACTION}.bias": state[f"{_ACTION}.bias"].double() * action_std + action_mean,
    }
    return {name: value.float() for name, value in wide.items()}


def _same_tensors() -> list[tuple[str, str, bool]]:
    """Returns (the release's name, ours, whether it is transposed) of each shared tensor."""
    layers = [
        ("transformer.ln_f", "final_norm", False),
        ("embed_proprio", _PROPRIO, False),
        *((f"embed_pc.{i}", f"embed_vision.points.{i}", False) for i in (0, 2, 4)),
        ("embed_ln", "embed_norm", False),
        ("predict_action.0", _ACTION, False),
    ]
    for i in range(MODEL.layers):
        theirs, ours = f"transformer.h.{i}", f"blocks.{i}"
        layers += [
            (f"{theirs}.ln_1", f"{ours}.norm_1", False),
            (f"{theirs}.attn.c_attn", f"{ours}.attention.qkv", True),
            (f"{theirs}.attn.c_proj", f"{ours}.attention.out", True),
            (f"{theirs}.ln_2", f"{ours}.norm_2", False),
            (f"{theirs}.mlp.c_fc", f"{ours}.mlp.0", True),
            (f"{theirs}.mlp.c_proj", f"{ours}.mlp.2", True),
        ]
    return [
        (f"{theirs}.{kind}", f"{ours}.{kind}", turned and kind == "weight")
        for theirs, ours, turned in layers
        for kind in ("weight", "bias")
    ]


def _rotation(frame: ReleaseFrame) -> Tensor:
    return torch.from_numpy(frame.R_env_base())


def _env_origin(frame: ReleaseFrame) -> Tensor:
    """Returns the origin of the env frame in base_link (3,) [m], float32."""
    return torch.from_numpy(frame.to_base(np.zeros(3))).float()
