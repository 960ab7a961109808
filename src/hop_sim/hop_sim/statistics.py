"""Statistics of success counts."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, sqrt

Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Rate:
    """A success rate: `successes` of `trials`, with its 95 % Wilson interval [`low`, `high`]."""

    successes: int
    trials: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """Successes over trials."""
        return self.successes / self.trials if self.trials else float("nan")

    def as_dict(self) -> dict[str, float | int]:
        """Return the figures for JSON."""
        return {
            "success": round(self.value, 4),
            "successes": self.successes,
            "trials": self.trials,
            "wilson_low": round(self.low, 4),
            "wilson_high": round(self.high, 4),
        }


def success_rate(outcomes: list[bool]) -> Rate:
    """Return the rate of True in `outcomes`; see `rate_of`."""
    return rate_of(sum(outcomes), len(outcomes))


def rate_of(successes: int, trials: int) -> Rate:
    """Return the rate of `successes` in `trials` with its 95 % Wilson score interval.

    Source: E. B. Wilson, Probable inference, JASA 22 (1927).
    """
    n, k = trials, successes
    if n == 0:
        return Rate(0, 0, 0.0, 1.0)
    p, z2 = k / n, Z_95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z_95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n**2))
    return Rate(k, n, max(0.0, centre - half), min(1.0, centre + half))


def sign_test(wins: int, losses: int) -> float:
    """Return how probable a split at least as uneven as `wins` to `losses` is by chance alone.

    It is the exact two-sided sign test: of pairs that differ, either side is as likely.
    """
    n, k = wins + losses, min(wins, losses)
    return min(1.0, 2 * sum(comb(n, i) for i in range(k + 1)) / 2**n)
