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
from transformers import GPT2Config, GPT2Model

from hop_policy.model import PolicyModel
from hop_policy.train_config import TrainConfig
from train_support.timing import timed

Window = dict[str, np.ndarray]
JOINTS = 23


class ReferenceNetwork(nn.Module):
    """Tokens [proprioception, cloud] of each step, GPT-2, the action at the cloud's token."""

    def __init__(self, width: int, layers: int, heads: int, context: int) -> None:
        """Builds it with random weights; the position table of GPT-2 stays zero."""
        super().__init__()
        self.embed_proprio = nn.Linear(JOINTS, width)
        self.embed_cloud = nn.Sequential(
            nn.Linear(3, width),
            nn.ELU(),
            nn.Linear(width, width),
            nn.ELU(),
            nn.Linear(width, width),
        )
        self.embed_time = nn.Embedding(context + 1, width)
        self.embed_norm = nn.LayerNorm(width)
        none = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        shape = {"n_positions": 2 * context, "n_embd": width, "n_layer": layers, "n_head": heads}
        tokens = {"vocab_size": 1, "bos_token_id": None, "eos_token_id": None, "use_cache": False}
        self.transformer = GPT2Model(GPT2Config(**none, **shape, **tokens))
        self.transformer.wpe.weight.requires_grad_(False).zero_()
        self.transformer.wte.weight.requires_grad_(False)
        self.action_head = nn.Linear(width, JOINTS)

    def forward(self, proprio: Tensor, cloud: Tensor) -> Tensor:
        """Returns the actions (B, S, 23) of windows (B, S, 23) and (B, S, P, 3)."""
        batch, steps = proprio.shape[:2]
        time = self.embed_time(torch.arange(steps, device=proprio.device))
        tokens = [self.embed_proprio(proprio), self.embed_cloud(cloud).amax(dim=2)]
        x = self.embed_norm(torch.stack([token + time for token in tokens], dim=2))
        x = self.transformer(inputs_embeds=x.view(batch, 2 * steps, -1)).last_hidden_state
        action: Tensor = self.action_head(x[:, 1::2])
        return action

    @torch.no_grad()
    def take_weights(self, ours: PolicyModel) -> None:
        """Copies the weights of our network of the same size, which must not whiten."""
        pairs: list[tuple[nn.Module, nn.Module]] = [
            (self.embed_proprio, ours.embed_proprio),
            (self.embed_cloud, ours.embed_vision.points),
            (self.embed_time, ours.embed_time),
            (self.embed_norm, ours.embed_norm),
            (self.transformer.ln_f, ours.final_norm),
            (self.action_head, ours.action_head),
        ]
        for theirs, block in zip(self.transformer.h, ours.blocks, strict=True):
            pairs += [(theirs.ln_1, block.norm_1), (theirs.ln_2, block.norm_2)]
            for turned, linear in (
                (theirs.attn.c_attn, block.attention.qkv),
                (theirs.attn.c_proj, block.attention.out),
                (theirs.mlp.c_fc, block.mlp[0]),
                (theirs.mlp.c_proj, block.mlp[2]),
            ):
                turned.weight.copy_(linear.weight.T)  # GPT-2 keeps its matrices transposed
                turned.bias.copy_(linear.bias)
        for theirs, module in pairs:
            theirs.load_state_dict(module.state_dict())


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
    """Trains a `ReferenceNetwork` by the constants of `config`."""

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
        self.batches = endless(windows, batch, workers, seed=0)

    def rate(self, steps: int) -> float:
        """Returns the windows per second of `steps` steps."""
        return steps * self.batch / timed(lambda: self._train(steps), self.device)

    def _train(self, steps: int) -> None:
        for _ in range(steps):
            batch = next(self.batches)
            names = ("proprio", "vision", "action")
            self.trainer.step(*(batch[name].to(self.device) for name in names))
