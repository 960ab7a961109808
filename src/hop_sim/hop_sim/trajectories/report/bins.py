"""Ends of bins at round numbers."""

from __future__ import annotations

import math

import numpy as np

_STEPS = (1.0, 2.0, 5.0, 10.0)


def even_edges(low: float, high: float, bins: int) -> np.ndarray:
    """Return rising edges of about `bins` equal bins that hold `low` to `high`, at round numbers.

    Bins are 1, 2 or 5 times a power of ten wide. Where `low` is `high`, there is one bin a
    thousandth of the value wide (of 1 where that is 0).
    """
    span = high - low
    if span <= 1e-9 * max(abs(low), abs(high)):
        span = bins * 1e-3 * (abs(low) or 1.0)
    return edges_of_width(low, high, round_up(span / bins))


def edges_of_width(low: float, high: float, width: float) -> np.ndarray:
    """Return rising edges, multiples of `width`, that hold `low` to `high`: one bin at least."""
    first, last = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
    edges = np.arange(first, max(last, first + 1) + 1) * width
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)  # whatever the rounding
    return np.asarray(edges)


def round_up(value: float) -> float:
    """Return the smallest of 1, 2 or 5 times a power of ten that is not below `value` > 0."""
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    return next(step * power for step in _STEPS if step * power >= value * (1.0 - 1e-9))
