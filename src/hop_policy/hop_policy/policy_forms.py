"""What may run the network of a policy: torch as it stands, or an exported form."""

from __future__ import annotations

from typing import Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor

from hop_policy.model import PolicyModel

FormName = Literal["auto", "eager", "exported"]
"""auto: the exported form where the checkpoint holds one, which is the faster; else eager."""
FORMS: tuple[FormName, ...] = get_args(FormName)


class PolicyForm(Protocol):
    """One tick of the network, for B robots with a context of S steps."""

    def __call__(
        self, proprio: Tensor, vision: Tensor, tokens: Tensor, valid: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """Returns the actions (B, 23) that answer the newest frames, and the tokens with those.

        Args:
            proprio: (B, 23) policy units.
            vision: (B, 60, 60) depth [m] or (B, P, 3) points in base_link [m].
            tokens: (B, S, 2, W) of the frames before, newest last, without time embedding; what is
                not valid has no influence.
            valid: (B, S) bool, of the tokens that come back; the newest is.
        """


class EagerForm:
    """The network as torch runs it."""

    def __init__(self, model: PolicyModel) -> None:
        """Keeps `model`."""
        self._model = model

    def __call__(
        self, proprio: Tensor, vision: Tensor, tokens: Tensor, valid: np.ndarray
    ) -> tuple[Tensor, Tensor]:
        """Returns actions and tokens; see `PolicyForm`."""
        tokens = torch.cat([tokens[:, 1:], self._model.encode(proprio, vision)[:, None]], dim=1)
        # Padding that all robots share is left out; the rest is masked.
        longest = int(valid.sum(axis=1).max())
        seen = valid[:, -longest:]
        mask = None if seen.all() else torch.from_numpy(seen).to(tokens.device)
        return self._model.decode(tokens[:, -longest:], mask)[:, -1], tokens
