"""How functions of this package become machine code, and when a stored one is out of date."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import numpy as np

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
# Of the liberties of fast arithmetic, fused multiply-add alone.
_OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


def entry(function: FunctionT) -> FunctionT:
    """Return `function` as machine code, cached on disk, that runs without the interpreter's lock.

    It must take a `Scratch`, whose stamp makes the cache notice changes.
    """
    return cast(FunctionT, numba.njit(cache=True, **_OPTIONS)(function))


def part(function: FunctionT) -> FunctionT:
    """Return `function` as machine code of its compiled callers."""
    return cast(FunctionT, numba.njit(**_OPTIONS)(function))


def inlined(function: FunctionT) -> FunctionT:
    """Return `function` as machine code within its compiled callers: a call would cost more."""
    return cast(FunctionT, numba.njit(forceinline=True, **_OPTIONS)(function))


@lru_cache(maxsize=1)
def source_stamp() -> np.ndarray:
    """Return an empty array whose type names the state of this package's source.

    The cache on disk looks at the file of the cached function alone and would keep the old code of
    functions that it calls in others. It does distinguish types of arguments.
    """
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return np.zeros(0, dtype=[(f"source_{digest.hexdigest()}", np.uint8)])
