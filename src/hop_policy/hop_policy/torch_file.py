"""Reading files that torch wrote, tensors only: nothing that they name is looked up or run."""

from __future__ import annotations

import io
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from hop_core.errors import CheckpointError

# What torch's reader raises at the bytes of a damaged file.
_DAMAGED = (
    RuntimeError, EOFError, ValueError, TypeError, LookupError, AttributeError, MemoryError,
    pickle.UnpicklingError,
)  # fmt: skip
_FOREIGN = re.compile(r"GLOBAL ([\w.]+)")  # in the reader's message: a name that it did not follow


def read_torch_file(path: Path, remedy: str) -> Any:
    """Returns what `torch.save` wrote into `path`: tensors, numbers, texts and containers of them.

    Args:
        path: the file.
        remedy: what to do about a damaged one, for the message.

    Raises:
        CheckpointError: it cannot be read, is damaged, or names classes or functions.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}; check the path") from error
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except _DAMAGED as error:
        foreign = _FOREIGN.search(str(error))
        if foreign:
            raise CheckpointError(
                f"{path} holds {foreign[1]}, which is refused: only tensors, numbers and texts are "
                "read; do not load this file by other means unless you trust its source"
            ) from error
        raise CheckpointError(f"{path} is damaged or was not written by torch; {remedy}") from error
