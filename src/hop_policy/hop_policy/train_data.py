"""What a training run learns from: batches by step, held-out episodes, and where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode, drawn, split_episodes, store_episodes
from hop_policy.frame_store import FrameStore, SegmentSampler
from hop_policy.optimise import resolve_device
from hop_policy.segments import WHOLE, SegmentBatch, Share
from hop_policy.train_config import TrainConfig


class BatchSource(Protocol):
    """Where training batches come from: any data set that can draw the batch of a step."""

    def batch(self, step: int, share: Share = WHOLE) -> SegmentBatch:
        """Returns the batch of `step`, or a share of it; the same at every call."""

    def statistics(self, floor: Tensor) -> dict[str, Tensor]:
        """Returns the whitening statistics of the training set; see `FrameStore.statistics`."""


@dataclass(frozen=True)
class TrainData:
    """What a run learns from and is judged by.

    Attributes:
        train: source of batches, cut as the run's configuration says.
        val: held-out episodes, at most as many as the configuration allows.
        provenance: where the data came from, kept beside the weights. Its "fingerprint" must be the
            same for a run to be resumed.
    """

    train: BatchSource
    val: FrameStore
    provenance: Mapping[str, Any]


def data_of_episodes(
    episodes: Sequence[Episode], contract: PolicyContract, config: TrainConfig
) -> TrainData:
    """Returns `episodes` split, stored and cut as `config` says.

    Raises:
        BagError: there are fewer than two groups of episodes, or one breaks the contract.
    """
    episodes = sorted(episodes, key=lambda e: e.name)
    train, val = split_episodes(episodes, config.val_fraction, config.seed)
    val = [val[i] for i in drawn(len(val), config.max_val_episodes, config.seed)]
    device = resolve_device(config.device)
    store = store_episodes(train, contract, device)
    provenance = {
        "fingerprint": fingerprint(episodes),
        "episodes": len(episodes),
        "ticks": sum(len(e) for e in episodes),
        "validation_episodes": [e.name for e in val],
        "training_episodes": [e.name for e in train],
    }
    sampler = SegmentSampler(store, config.cut, config.segments, config.seed)
    return TrainData(sampler, store_episodes(val, contract, device), provenance)


def fingerprint(episodes: Sequence[Episode]) -> str:
    """Returns 16 hex digits that identify the names, proprioception and labels of `episodes`."""
    digest = hashlib.sha256()
    for episode in episodes:
        digest.update(episode.name.encode())
        for array in (episode.proprio, episode.action):
            digest.update(np.ascontiguousarray(array, np.float32).tobytes())
    return digest.hexdigest()[:16]
