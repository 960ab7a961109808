"""Columns of frames on a device, read by row number: as they are, or as 16-bit integers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

LEVELS = 65534
"""Steps between the ends of a 16-bit range; the integers are -32767..32767."""


class FrameRows(Protocol):
    """One thing that is known of each frame."""

    def __call__(self, index: Tensor) -> Tensor:
        """Returns (..., *shape) float32 of the frames `index` (...) int64, on its device."""


class FloatRows:
    """A float32 tensor."""

    def __init__(self, values: Tensor) -> None:
        """Keeps `values` (N, ...)."""
        self.values = values

    def __call__(self, index: Tensor) -> Tensor:
        """Returns the rows `index`."""
        return self.values[index]


class Int16Rows:
    """A fixed range in 65,534 equal steps: half the memory, off by half a step at most."""

    def __init__(self, values: Tensor, low: float, high: float) -> None:
        """Keeps `values` (N, ...) int16, of which -32767 is `low` and 32767 is `high`."""
        self.values, self.low, self.high = values, low, high

    @staticmethod
    def pack(values: np.ndarray, low: float, high: float) -> np.ndarray:
        """Returns `values` as int16, the nearest step each.

        Raises:
            ValueError: a value is not in the range, or NaN.
        """
        half = 0.5 * (high - low) / LEVELS
        if values.size and not (values.min() >= low - half and values.max() <= high + half):
            raise ValueError(
                f"must lie in {low:g} to {high:g}, got {values.min():g} to {values.max():g}"
            )
        steps = np.rint((values - low) * (LEVELS / (high - low))).clip(0, LEVELS)
        packed: np.ndarray = (steps - LEVELS // 2).astype(np.int16)
        return packed

    def __call__(self, index: Tensor) -> Tensor:
        """Returns the rows `index`."""
        rows = self.values[index].to(torch.float32)
        return rows.add_(LEVELS // 2).mul_((self.high - self.low) / LEVELS).add_(self.low)
