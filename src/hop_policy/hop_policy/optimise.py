"""Parts of the optimisation: device, learning rate, averaged weights."""

from __future__ import annotations

import copy
import math
import os

import torch

from hop_core.errors import ConfigError
from hop_policy.model import PolicyModel
from hop_policy.train_config import TrainConfig


def resolve_device(device: str) -> torch.device:
    """Returns the device named; "auto" is a GPU if there is one.

    Of several GPUs, that of this process by torchrun's number of it, else the first.

    Raises:
        ConfigError: a GPU is asked for where there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: cuda was asked for, but torch sees no GPU; use auto or cpu")
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def learning_rate(config: TrainConfig, step: int, fraction: float) -> float:
    """Returns the learning rate of `step` when `fraction` of the budget is used."""
    rate = config.learning_rate * min(1.0, (step + 1) / max(1, config.warmup_steps))
    if config.schedule == "cosine":
        rate *= 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
    return rate


class WeightAverage:
    """Exponential moving average of a network's weights; with decay 0 it is the network itself.

    Attributes:
        model: the network that holds the average.
    """

    def __init__(self, model: PolicyModel, decay: float) -> None:
        """Starts at the weights of `model`."""
        self.source, self.decay = model, decay
        self.model = copy.deepcopy(model) if decay else model

    def restart(self) -> None:
        """Sets the average to the network's present weights."""
        if self.decay:
            self.model.load_state_dict(self.source.state_dict())

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Takes in the weights after `step`."""
        if not self.decay:
            return
        # A young average follows quickly, or it would remember the random start.
        decay = min(self.decay, (1 + step) / (10 + step))
        for kept, new in zip(self.model.parameters(), self.source.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)
