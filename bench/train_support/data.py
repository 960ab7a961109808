"""The trajectories that both trainers of `bench/train.py` learn from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from store_support.motions import fill

from hop_policy.contract import PolicyContract
from hop_policy.frame_store import FrameStore, SegmentSampler
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData
from hop_sim.pretrain.selection import kept_parts, split_parts, thinned
from hop_sim.pretrain.store_data import provenance
from hop_sim.pretrain.store_frames import load_frames
from hop_sim.trajectories.store import TrajectoryStore
from train_support.reference import Window

_TRACKS, _KEPT, _FRAMES = 6, 40, 150


@contextmanager
def opened(path: Path | None) -> Iterator[TrajectoryStore]:
    """Opens the store at `path`, or a small one of random motions that is made for the occasion."""
    if path is not None:
        yield TrajectoryStore.open(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "store", _TRACKS, _KEPT, _FRAMES)
        yield TrajectoryStore.open(Path(folder) / "store")


def loaded(
    store: TrajectoryStore,
    most: int,
    contract: PolicyContract,
    config: TrainConfig,
    device: torch.device,
) -> TrainData:
    """Returns `most` training trajectories at most, and the configuration's held-out ones."""
    train, val = split_parts(kept_parts([store], "any"), config.val_fraction, config.seed)
    frames, held_out = (
        load_frames(thinned(side, count, config.seed), contract, device, lambda _name: None)
        for side, count in ((train, most), (val, config.max_val_episodes))
    )
    sampler = SegmentSampler(frames, config.cut, config.segments, config.seed)
    return TrainData(sampler, held_out, provenance([store], "any", contract, "shown"))


def episodes(frames: FrameStore) -> list[Window]:
    """Returns the arrays of each episode, clouds posed beforehand, as the release keeps them."""
    columns = {"proprio": frames.proprio, "vision": frames.vision, "action": frames.action}
    return [
        {name: column(frames.episode(i)).cpu().numpy() for name, column in columns.items()}
        for i in range(len(frames.lengths))
    ]


@dataclass(frozen=True)
class HeldOut:
    """Windows that both are judged on: proprio, vision, action, each (N, context, ...)."""

    proprio: torch.Tensor
    vision: torch.Tensor
    action: torch.Tensor

    @classmethod
    def of(cls, frames: FrameStore, context: int, count: int) -> HeldOut:
        """Returns `count` windows of `frames`, evenly spread over its long enough episodes."""
        starts = [
            int(start) + offset
            for start, length in zip(frames.starts, frames.lengths, strict=True)
            for offset in range(0, int(length) - context + 1)
        ]
        chosen = torch.tensor(starts[:: max(1, len(starts) // count)][:count])
        rows = (chosen[:, None] + torch.arange(context)).to(frames.device)
        return cls(frames.proprio(rows), frames.vision(rows), frames.action(rows))
