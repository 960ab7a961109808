"""Disturbed demonstrations: the arm strays from what the demonstrator asks for, who asks on.

From undisturbed demonstrations a policy learns to go on as the hand went so far, since where the
hand is tells which demonstration this is; once it is off every way that it has seen, it drifts.
Where the hand strayed and the labels lead back, only the scene tells where to go. Source: Laskey et
al., DART: Noise Injection for Robust Imitation Learning, 2017.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import Field

from hop_core.config import Config

_STREAM = 4  # of an episode's seed


class DisturbanceConfig(Config):
    """How the arm strays from a demonstration's targets, which stay the labels.

    Attributes:
        std_rad: standard deviation of each arm joint's offset, where the hand has full leeway.
        time_s: after this the offset is correlated with itself by 1/e.
    """

    std_rad: float = Field(ge=0.0, le=0.2)
    time_s: float = Field(gt=0.0, le=10.0)


class Disturbance:
    """An Ornstein-Uhlenbeck process of the arm's joints, one value a tick."""

    def __init__(self, config: DisturbanceConfig, tick_s: float) -> None:
        """Advance by `tick_s` [s] a step; `reset` it at the start of an episode."""
        self._kept = math.exp(-tick_s / config.time_s)
        self._fresh = config.std_rad * math.sqrt(1.0 - self._kept**2)

    def reset(self, seed: int) -> None:
        """Begin the episode `seed` at rest."""
        self._rng = np.random.default_rng([seed, _STREAM])
        self._offset = np.zeros(7)

    def step(self) -> np.ndarray:
        """Return the next offset (7,) [rad]."""
        self._offset = self._kept * self._offset + self._fresh * self._rng.standard_normal(7)
        return self._offset
