"""The 73 entries of the HOP release's policy checkpoints: 65 parameters, 8 attention buffers.

Source: HOP release, algo/pretrained: the point-cloud policy of its scripts. Hugging Face's GPT-2
keeps its matrices transposed (Conv1D), and its causal mask beside the weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hop_core.embodiment import HOP_SIM_JOINTS
from hop_core.errors import CheckpointError
from hop_policy.model import PolicyConfig

MODEL = PolicyConfig()
"""The release's network: the paper's. The number of heads leaves no trace in the entries."""
TIME_ROWS = 2 * MODEL.context + 1
LIVE_TIME_ROWS = MODEL.context + 1
"""Rows of the time table that are ever looked up: one a step, and the padding's; as ours."""
MASKED = -1e4
"""What `masked_bias` is in the release's version of the transformers library."""
_JOINTS, _WIDTH, _TOKENS = len(HOP_SIM_JOINTS), MODEL.width, 2 * MODEL.context
_EXPECTED = (
    f"expected are the 73 entries of the release's point-cloud policy ({MODEL.layers} layers of "
    f"width {MODEL.width}, {MODEL.heads} heads, {MODEL.context} steps)"
)
_LEAST_MASKED = -1e3  # its exponential is 0 in float32


def entry_shapes() -> dict[str, tuple[int, ...]]:
    """Returns the shape of each entry, in the order of the release's files."""
    shapes: dict[str, tuple[int, ...]] = {}
    for block in (f"transformer.h.{i}" for i in range(MODEL.layers)):
        shapes |= _norm(f"{block}.ln_1")
        shapes[f"{block}.attn.bias"] = (1, 1, _TOKENS, _TOKENS)
        shapes[f"{block}.attn.masked_bias"] = ()
        shapes |= _turned(f"{block}.attn.c_attn", _WIDTH, 3 * _WIDTH)
        shapes |= _turned(f"{block}.attn.c_proj", _WIDTH, _WIDTH)
        shapes |= _norm(f"{block}.ln_2")
        shapes |= _turned(f"{block}.mlp.c_fc", _WIDTH, 4 * _WIDTH)
        shapes |= _turned(f"{block}.mlp.c_proj", 4 * _WIDTH, _WIDTH)
    shapes |= _norm("transformer.ln_f")
    shapes["embed_timestep.weight"] = (TIME_ROWS, _WIDTH)
    shapes |= _linear("embed_proprio", _JOINTS, _WIDTH)
    shapes |= _linear("embed_pc.0", 3, _WIDTH)
    shapes |= _linear("embed_pc.2", _WIDTH, _WIDTH)
    shapes |= _linear("embed_pc.4", _WIDTH, _WIDTH)
    shapes |= _norm("embed_ln")
    shapes |= _linear("predict_action.0", _WIDTH, _JOINTS)
    shapes |= _linear("predict_proprio.0", _WIDTH, _JOINTS)
    return shapes


def is_buffer(name: str) -> bool:
    """Returns whether an entry is an attention buffer rather than a parameter."""
    return name.endswith((".attn.bias", ".attn.masked_bias"))


def causal_mask() -> Tensor:
    """Returns the buffer `attn.bias` (1, 1, 32, 32) uint8: who may look at whom."""
    return torch.ones(1, 1, _TOKENS, _TOKENS, dtype=torch.uint8).tril()


def require_entries(entries: Mapping[str, object], where: str) -> dict[str, Tensor]:
    """Returns the 73 entries of `entries`, in the release's order.

    Args:
        entries: what a file holds, by name.
        where: the file, for the message.

    Raises:
        CheckpointError: naming the entry that is missing, unknown, of another shape or type, not
            finite, or a mask other than the causal one.
    """
    shapes = entry_shapes()
    for name in entries:
        if name not in shapes:
            raise CheckpointError(f"{where}: {name} is unknown; {_EXPECTED}")
    found: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        if name not in entries:
            raise CheckpointError(f"{where}: {name} is missing; {_EXPECTED}")
        value = entries[name]
        if not isinstance(value, Tensor):
            raise CheckpointError(f"{where}: {name} is no tensor; {_EXPECTED}")
        fault = _fault(name, value, shape)
        if fault:
            raise CheckpointError(f"{where}: {name} {fault}; {_EXPECTED}")
        found[name] = value
    return found


def _fault(name: str, value: Tensor, shape: tuple[int, ...]) -> str:
    """Returns what is wrong with an entry; "" if nothing."""
    if tuple(value.shape) != shape:
        return f"has the shape {tuple(value.shape)}, not {shape}"
    if name.endswith(".attn.bias"):
        return "" if torch.equal(value.to(torch.uint8), causal_mask()) else "is no causal mask"
    if value.dtype != torch.float32:
        return f"is {str(value.dtype).removeprefix('torch.')}, not float32"
    if not value.isfinite().all():
        return "holds NaN or infinity"
    if name.endswith(".masked_bias") and value > _LEAST_MASKED:
        return f"is {value.item():g}, which masks nothing"
    return ""


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _turned(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (inputs, outputs), f"{name}.bias": (outputs,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (_WIDTH,), f"{name}.bias": (_WIDTH,)}
