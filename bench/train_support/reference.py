"""Pretraining in the way of the HOP release, written from its description.

Hugging Face's GPT-2 blocks, a data loader that stacks windows from arrays of each episode, the
encoder on all 16 frames of each window, AdamW with its defaults, no compilation. Source: HOP
release, algo/pretrained, as far as shapes, constants and order of steps go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from hop_policy.train_config import TrainConfig
from train_support.reference_network import ReferenceNetwork
from train_support.timing import timed

Window = dict[str, np.ndarray]
READY = 2
"""Batches that a loading process keeps ready."""


class Windows(Dataset[Window]):
    """Every window of `context` whole frames, cut out of the arrays of its episode."""

    def __init__(self, episodes: Sequence[Window], context: int) -> None:
        """Keeps `episodes`: proprio (T, 23), vision (T, P, 3), action (T, 23), float32 each."""
        self.episodes, self.context = [e for e in episodes if len(e["proprio"]) >= context], context
        self._ends = np.cumsum([len(e["proprio"]) - context + 1 for e in self.episodes])

    def __len__(self) -> int:
        """Number of windows."""
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Window:
        """Return a window, by name (context, ...)."""
        episode = int(np.searchsorted(self._ends, index, side="right"))
        start = index - (int(self._ends[episode - 1]) if episode else 0)
        rows = slice(start, start + self.context)
        return {name: array[rows] for name, array in self.episodes[episode].items()}


class ReferenceTrainer:
    """Trains a `ReferenceNetwork` by the constants of `config`, in its precision."""

    def __init__(self, network: ReferenceNetwork, config: TrainConfig) -> None:
        """Keeps the network; the noise is drawn by torch's own generator."""
        self.network, self.config = network, config
        self.optimiser = torch.optim.AdamW(
            [p for p in network.parameters() if p.requires_grad],
            config.learning_rate,
            weight_decay=config.weight_decay,
        )

    def step(self, proprio: Tensor, vision: Tensor, action: Tensor) -> float:
        """Makes one step on windows (B, context, ...); returns its loss."""
        noise = self.config.augment.proprio_noise
        noisy = proprio + noise * torch.randn_like(proprio) if noise else proprio
        half = self.config.precision == "bfloat16"
        with torch.autocast(proprio.device.type, torch.bfloat16, enabled=half):
            loss = (self.network(noisy, vision) - action).abs().mean()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        self.optimiser.step()
        return loss.item()


def endless(windows: Windows, batch: int, workers: int, seed: int) -> Iterator[dict[str, Tensor]]:
    """Yields shuffled batches for ever, stacked by `workers` processes (0: by this one)."""
    loader = DataLoader(
        windows,
        batch,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        prefetch_factor=READY if workers else None,
        persistent_workers=workers > 0,
        generator=torch.Generator().manual_seed(seed),
    )
    while True:
        yield from loader


class Reference:
    """The release's way with a number of loading processes."""

    def __init__(
        self,
        trainer: ReferenceTrainer,
        windows: Windows,
        workers: int,
        batch: int,
        device: torch.device,
    ) -> None:
        """Opens its loader."""
        self.trainer, self.batch, self.device = trainer, batch, device
        self.workers = workers
        self.batches = endless(windows, batch, workers, seed=0)

    def drain(self) -> None:
        """Drops the batches that the loader made ready while others had their turn."""
        for _ in range(READY * self.workers):
            next(self.batches)

    def rate(self, steps: int) -> float:
        """Returns the windows per second of `steps` steps."""
        return steps * self.batch / timed(lambda: self._train(steps), self.device)

    def _train(self, steps: int) -> None:
        for _ in range(steps):
            batch = next(self.batches)
            names = ("proprio", "vision", "action")
            self.trainer.step(*(batch[name].to(self.device) for name in names))
