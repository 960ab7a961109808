"""Histograms that are filled block by block, so that a column need not fit into memory."""

from __future__ import annotations

from typing import Any

import numpy as np


class Histogram:
    """Counts of J quantities over equal bins of their own ranges; NaN is counted apart.

    Attributes:
        low, high: (J,) float64 ends of the ranges.
        counts: (J, bins) int64; the last bin holds its upper end.
        below, above, unknown: (J,) int64 values beyond the range, and NaN.
    """

    def __init__(self, low: Any, high: Any, bins: int) -> None:
        """Start empty, over `bins` bins from `low` to `high`, (J,) each or one number for J = 1."""
        self.low, self.high = np.atleast_1d(np.float64(low)), np.atleast_1d(np.float64(high))
        self.counts = np.zeros((len(self.low), bins), np.int64)
        self.below, self.above, self.unknown = np.zeros((3, len(self.low)), np.int64)

    def add(self, values: np.ndarray) -> None:
        """Count `values`: (N, J), or (N,) where J = 1."""
        bins = self.counts.shape[1]
        for j, column in enumerate(np.reshape(values, (-1, len(self.low))).T):
            known = column[~np.isnan(column)].astype(np.float64)
            self.unknown[j] += len(column) - len(known)
            self.below[j] += np.count_nonzero(known < self.low[j])
            self.above[j] += np.count_nonzero(known > self.high[j])
            self.counts[j] += np.histogram(known, bins, (self.low[j], self.high[j]))[0]

    @property
    def known(self) -> np.ndarray:
        """(J,) numbers of values that are not NaN."""
        return np.asarray(self.counts.sum(axis=1) + self.below + self.above)

    @property
    def edges(self) -> np.ndarray:
        """(J, bins + 1) ends of the bins."""
        return np.linspace(self.low, self.high, self.counts.shape[1] + 1, axis=1)

    def percentile(self, percent: float) -> np.ndarray:
        """Return (J,) percentiles; values beyond the range are at its ends.

        Linear within a bin, and amid a gap that lies between two values, as a median is. NaN where
        nothing is known.
        """
        below = self.below[:, None]
        reached = np.concatenate([below, below + np.cumsum(self.counts, axis=1)], axis=1)
        found = np.full(len(self.low), np.nan)
        for j, (known, edges) in enumerate(zip(self.known, self.edges, strict=True)):
            wanted = percent / 100.0 * known
            first = int(np.searchsorted(reached[j], wanted, side="left"))
            last = int(np.searchsorted(reached[j], wanted, side="right")) - 1
            if known and first <= last:
                found[j] = (edges[first] + edges[last]) / 2.0
            elif known:
                found[j] = np.interp(wanted, reached[j], edges)
        return found

    def share_between(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return (J,) shares of the known values from `low` to `high`, (J,) each.

        Bins that are cut count by the part within. NaN where nothing is known.
        """
        edges, known = self.edges, self.known
        inside = np.minimum(edges[:, 1:], high[:, None]) - np.maximum(edges[:, :-1], low[:, None])
        part = np.clip(inside / np.diff(edges, axis=1), 0.0, 1.0)
        shares = np.full(len(known), np.nan)
        return np.asarray(
            np.divide((self.counts * part).sum(axis=1), known, out=shares, where=known > 0)
        )

    def coarse(self, bins: int) -> np.ndarray:
        """Return (J, bins) counts over fewer bins, each of a whole number of ours."""
        return np.asarray(self.counts.reshape(len(self.low), bins, -1).sum(axis=2))
