"""The policy network: a GPT-2-style causal transformer over [proprioception, vision] tokens.

Each step k of the history gives two tokens; the action that answers step k is read at its vision
token. Source: HOP paper, section III-C, and the shapes of its release.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from hop_core.config import Config
from hop_policy.contract import PolicyContract
from hop_policy.encoders import EncoderConfig, build_encoder
from hop_policy.table_view import Displacement

AIM = 5
"""Figures of an aim: the palm's way right, ahead and up [0.1 m], its normal's right and ahead."""


class PolicyConfig(Config):
    """Shape of the network; defaults are the paper's.

    Attributes:
        layers: transformer blocks.
        width: size of a token.
        heads: attention heads; divides width.
        context: steps of history, the newest included.
        encoder: shape of the vision encoder.
        foresight: ticks ahead at which training also asks the vision token alone for the way to the
            label, so that the encoder learns where things are; empty is the paper. Deployment
            ignores it.
        aim: whether a depth image's token must tell where the hand goes next, and takes in
            what it told; see `hop_policy.aim`.
    """

    layers: int = Field(default=4, ge=1)
    width: int = Field(default=192, ge=8)
    heads: int = Field(default=4, ge=1)
    context: int = Field(default=16, ge=1)
    encoder: EncoderConfig = EncoderConfig()
    foresight: tuple[Annotated[int, Field(ge=1)], ...] = ()
    aim: bool = False

    @model_validator(mode="after")
    def _divisible(self) -> PolicyConfig:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        return self


class Attention(nn.Module):
    """Causal multi-head self-attention."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Returns (B, L, W), mixed over what `mask` (B, 1, L, L) allows; None is causal."""
        b, length, width = x.shape
        q, k, v = (
            self.qkv(x).view(b, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        )  # each (B, heads, L, W / heads)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        mixed: Tensor = self.out(y.transpose(1, 2).reshape(b, length, width))
        return mixed


class Block(nn.Module):
    """Attention and a two-layer network, each on a normalised copy that is added back."""

    def __init__(self, config: PolicyConfig) -> None:
        super().__init__()
        self.norm_1 = nn.LayerNorm(config.width)
        self.attention = Attention(config)
        self.norm_2 = nn.LayerNorm(config.width)
        self.mlp = nn.Sequential(
            nn.Linear(config.width, 4 * config.width),
            nn.GELU(approximate="tanh"),
            nn.Linear(4 * config.width, config.width),
        )

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Returns (B, L, W)."""
        x = x + self.attention(self.norm_1(x), mask)
        out: Tensor = x + self.mlp(self.norm_2(x))
        return out


class PolicyModel(nn.Module):
    """Maps a history of observations to the joint targets that answer each of its steps.

    All joint values are in policy units. Whitening buffers (identity until `set_whitening`) make
    small motions of a joint with a wide scale as large to the network as big motions of another.
    """

    proprio_mean: Tensor
    proprio_std: Tensor
    action_mean: Tensor
    action_std: Tensor
    vision_mean: Tensor
    vision_std: Tensor

    def __init__(self, config: PolicyConfig, contract: PolicyContract) -> None:
        super().__init__()
        self.config, self.contract = config, contract
        joints, width = len(contract.joint_names), config.width
        self.embed_proprio = nn.Linear(joints, width)
        self.embed_vision = build_encoder(contract, config.encoder, width)
        self.embed_time = nn.Embedding(config.context + 1, width)  # the last row is the padding's
        self.embed_norm = nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.final_norm = nn.LayerNorm(width)
        self.action_head = nn.Linear(width, joints)
        if config.foresight:
            self.foresight_head = nn.Linear(width, joints * len(config.foresight))
        self.aims = config.aim and contract.vision == "depth"
        if self.aims:
            self.aim_head = nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, width), nn.GELU(), nn.Linear(width, AIM)
            )
            self.embed_aim = nn.Sequential(
                nn.Linear(AIM, width), nn.GELU(), nn.Linear(width, width)
            )
        for name in ("proprio", "action"):
            self.register_buffer(f"{name}_mean", torch.zeros(joints))
            self.register_buffer(f"{name}_std", torch.ones(joints))
        image = contract.vision == "depth"
        self.register_buffer("vision_mean", torch.zeros(contract.vision_shape if image else 3))
        self.register_buffer("vision_std", torch.ones(() if image else 3))
        self._initialise()

    def _initialise(self) -> None:
        """GPT-2's: N(0, 0.02), residual outputs less by sqrt(2 layers); encoders keep their own."""
        for module in (
            self.embed_proprio,
            self.embed_time,
            self.action_head,
            *self.blocks.modules(),
        ):
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)
        for name, weight in self.blocks.named_parameters():
            if name.endswith(("attention.out.weight", "mlp.2.weight")):
                nn.init.normal_(weight, std=0.02 / (2 * self.config.layers) ** 0.5)

    def set_whitening(self, **statistics: Tensor) -> None:
        """Fills the buffers named (`proprio_mean`, ...) with the training set's statistics."""
        for name, value in statistics.items():
            getattr(self, name).copy_(value)

    @torch.no_grad()
    def rewhiten(
        self, proprio_mean: Tensor, proprio_std: Tensor, action_mean: Tensor, action_std: Tensor
    ) -> None:
        """Gives the joints other whitening, (23,) each, and changes no output but for rounding.

        The layers beside it take up the difference. Vision keeps its own: a mean image cannot be
        taken up by a convolution with a border.
        """
        embed, head = self.embed_proprio, self.action_head
        embed.bias.add_(embed.weight @ ((proprio_mean - self.proprio_mean) / self.proprio_std))
        embed.weight.mul_(proprio_std / self.proprio_std)
        factor = self.action_std / action_std
        head.weight.mul_(factor[:, None])
        head.bias.mul_(factor).add_((self.action_mean - action_mean) / action_std)
        if self.config.foresight:
            ahead = factor.repeat(len(self.config.foresight))
            self.foresight_head.weight.mul_(ahead[:, None])
            self.foresight_head.bias.mul_(ahead)
        self.set_whitening(
            proprio_mean=proprio_mean,
            proprio_std=proprio_std,
            action_mean=action_mean,
            action_std=action_std,
        )

    def encode(self, proprio: Tensor, vision: Tensor, table_motion: Tensor | None = None) -> Tensor:
        """Returns the tokens (N, 2, W) of N single steps, without time embedding: cacheable.

        Args:
            proprio: (N, 23) policy units.
            vision: (N, 60, 60) depth [m] or (N, P, 3) points in base_link [m].
            table_motion: (N, 3) turn [rad] and shift right and ahead [m] of a table view of depth,
                in training.
        """
        joints = self.embed_proprio((proprio - self.proprio_mean) / self.proprio_std)
        seen = self._see(vision, *(() if table_motion is None else (table_motion,)))
        if self.aims:
            seen = seen + self.embed_aim(self.aim_head(seen).detach())
        return torch.stack([joints, seen], dim=1)

    def aim(self, depth: Tensor, *moved: Tensor | Displacement | None) -> Tensor:
        """Returns where the hand goes next (N, 5), as `hop_policy.aim` tells it.

        Args:
            depth: (N, 60, 60) images [m].
            moved: what else a `TableView` takes.
        """
        aim: Tensor = self.aim_head(self._see(depth, *moved))
        return aim

    def _see(self, vision: Tensor, *moved: Tensor | Displacement | None) -> Tensor:
        if not self.embed_vision.takes_metres:
            vision = (vision - self.vision_mean) / self.vision_std
        seen: Tensor = self.embed_vision(vision, *moved)
        return seen

    def decode(self, tokens: Tensor, valid: Tensor | None = None) -> Tensor:
        """Returns the actions (B, S, 23) that answer each step, policy units.

        Args:
            tokens: (B, S, 2, W) of S <= context successive steps, from `encode`.
            valid: (B, S) bool, False for padding, which comes first and influences nothing; None is
                all valid.
        """
        b, steps, _, width = tokens.shape
        if valid is None:
            time_id, mask = torch.arange(steps, device=tokens.device), None
        else:
            time_id = torch.where(valid, valid.cumsum(1) - 1, self.config.context)
            mask = attention_mask(valid)
        x = self.embed_norm(tokens + self.embed_time(time_id).unsqueeze(-2)).view(
            b, 2 * steps, width
        )
        for block in self.blocks:
            x = block(x, mask)
        action: Tensor = self.action_head(self.final_norm(x[:, 1::2]))
        return action * self.action_std + self.action_mean

    def foresee(self, tokens: Tensor) -> Tensor:
        """Returns the way (N, H, 23) from the posture to the labels `foresight` ticks ahead.

        In policy units.

        Args:
            tokens: (N, 2, W) from `encode`; the vision token alone is used.
        """
        ahead: Tensor = self.foresight_head(tokens[:, 1])
        ahead = ahead.view(len(ahead), len(self.config.foresight), -1)
        return ahead * self.action_std

    def forward(self, proprio: Tensor, vision: Tensor, valid: Tensor | None = None) -> Tensor:
        """Returns the actions (B, S, 23) that answer histories (B, S, 23) and (B, S, ...)."""
        b, steps = proprio.shape[:2]
        tokens = self.encode(proprio.flatten(0, 1), vision.flatten(0, 1))
        return self.decode(tokens.view(b, steps, 2, -1), valid)


def attention_mask(valid: Tensor) -> Tensor:
    """Returns (B, 1, 2 S, 2 S) bool: causal among the tokens of valid steps (B, S).

    Padding sees itself alone, since a row without any key has no softmax.
    """
    keys = valid.repeat_interleave(2, dim=1)
    n = keys.shape[1]
    causal = torch.ones(n, n, dtype=torch.bool, device=valid.device).tril()
    own = torch.eye(n, dtype=torch.bool, device=valid.device)
    return (causal & keys[:, None, :] | own)[:, None]


def parameter_count(model: nn.Module) -> int:
    """Returns the number of trained parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
