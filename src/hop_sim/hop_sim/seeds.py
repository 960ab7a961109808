"""Seeds of episodes: demonstrations and evaluation draw from ranges that cannot meet."""

from __future__ import annotations

from hop_core.errors import ConfigError

FIRST_DEMO_SEED = 1_000_000
"""Evaluation uses 0 to this; demonstrations this and above."""


def evaluation_seeds(count: int, first: int = 0) -> list[int]:
    """Return the seeds of `count` evaluation episodes from `first` on.

    Raises:
        ConfigError: one of them would be a demonstration's.
    """
    if first < 0 or first + count > FIRST_DEMO_SEED:
        raise ConfigError(
            f"evaluation seeds must lie in 0..{FIRST_DEMO_SEED - 1}, "
            f"got {first}..{first + count - 1}; those above belong to demonstrations"
        )
    return list(range(first, first + count))


def demonstration_seeds(count: int, first: int = 0) -> list[int]:
    """Return the seeds of `count` demonstrations, the `first`-th of their range on.

    Raises:
        ConfigError: `first` is negative.
    """
    if first < 0:
        raise ConfigError(f"the first demonstration must be 0 or more, got {first}")
    return list(range(FIRST_DEMO_SEED + first, FIRST_DEMO_SEED + first + count))


def demonstration_number(seed: int) -> int:
    """Return which demonstration, from 0 on, has `seed`."""
    return seed - FIRST_DEMO_SEED
