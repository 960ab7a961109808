"""The release's policy network on Hugging Face's GPT-2 blocks, written from its description.

Its parameters have the names of the release's checkpoints. Source: HOP release, algo/pretrained, as
far as names, shapes and constants go.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2Model

from hop_policy.model import PolicyModel

JOINTS = 23


class ReferenceNetwork(nn.Module):
    """Tokens [proprioception, cloud] of each step, GPT-2, the action at the cloud's token."""

    def __init__(self, width: int, layers: int, heads: int, context: int) -> None:
        """Builds it with random weights; GPT-2's own tables of words and places are unused."""
        super().__init__()
        none = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        shape = {"n_positions": 2 * context, "n_embd": width, "n_layer": layers, "n_head": heads}
        tokens = {"vocab_size": 1, "bos_token_id": None, "eos_token_id": None, "use_cache": False}
        self.transformer = GPT2Model(GPT2Config(**none, **shape, **tokens))
        self.transformer.wpe.weight.requires_grad_(False).zero_()
        self.transformer.wte.weight.requires_grad_(False)
        self.embed_timestep = nn.Embedding(2 * context + 1, width)
        self.embed_proprio = nn.Linear(JOINTS, width)
        self.embed_pc = nn.Sequential(
            nn.Linear(3, width),
            nn.ELU(),
            nn.Linear(width, width),
            nn.ELU(),
            nn.Linear(width, width),
        )
        self.embed_ln = nn.LayerNorm(width)
        self.predict_action = nn.Sequential(nn.Linear(width, JOINTS))
        self.predict_proprio = nn.Sequential(nn.Linear(width, JOINTS))  # no loss reaches it
        self.context = context

    def forward(self, proprio: Tensor, cloud: Tensor, valid: Tensor | None = None) -> Tensor:
        """Returns the actions (B, S, 23) of windows (B, S, 23) and (B, S, P, 3).

        Args:
            proprio: policy units, in the order that the weights were trained on.
            cloud: points [m], in the frame that they were trained on.
            valid: (B, S) bool, False for padding, which comes first; None is all valid.
        """
        batch, steps = proprio.shape[:2]
        if valid is None:
            time_id, mask = torch.arange(steps, device=proprio.device), None
        else:
            time_id = torch.where(valid, valid.cumsum(1) - 1, self.context)
            mask = valid.repeat_interleave(2, dim=1).long()
        time = self.embed_timestep(time_id)
        tokens = [self.embed_proprio(proprio), self.embed_pc(cloud).amax(dim=2)]
        x = self.embed_ln(torch.stack([token + time for token in tokens], dim=2))
        x = self.transformer(inputs_embeds=x.view(batch, 2 * steps, -1), attention_mask=mask)
        action: Tensor = self.predict_action(x.last_hidden_state[:, 1::2])
        return action

    @torch.no_grad()
    def take_weights(self, ours: PolicyModel) -> None:
        """Copies the weights of our network of the same size, which must not whiten.

        The order of the joints and the frame of the clouds are then ours too.
        """
        pairs: list[tuple[nn.Module, nn.Module]] = [
            (self.embed_proprio, ours.embed_proprio),
            (self.embed_pc, ours.embed_vision.points),
            (self.embed_ln, ours.embed_norm),
            (self.transformer.ln_f, ours.final_norm),
            (self.predict_action[0], ours.action_head),
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
        self.embed_timestep.weight[: self.context + 1] = ours.embed_time.weight
