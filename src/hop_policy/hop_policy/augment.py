"""Random changes of training batches: noise on joints, a moved camera or scene, holes in depth."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from hop_core.embodiment import ARM
from hop_policy.aim import AimBatch, moved_aim
from hop_policy.contract import PolicyContract
from hop_policy.segments import WHOLE, SegmentBatch, Share
from hop_policy.table_view import Displacement
from hop_policy.train_config import AugmentConfig

_ACTING, _AIMING = 0, 1
"""Streams of random numbers: a step's two batches are changed apart."""


class Augmenter:
    """Changes inputs of a batch, never labels of actions. A function of seed and step.

    Aims follow what moves a table view, but not the shift and zoom of a depth image: 5 pixels are
    a yaw of about 5 degrees. Offset and noise of depth are added to pixels that read far as well.

    Where batches are shared out, the changes are drawn for the whole of them, so that they do not
    depend on the number of shares.
    """

    def __init__(
        self,
        config: AugmentConfig,
        contract: PolicyContract,
        proprio_std: Tensor,
        seed: int,
        share: Share = WHOLE,
    ) -> None:
        """Keeps what it needs; `proprio_std` (23,) is the training set's, policy units."""
        self.config, self.contract, self.seed, self.share = config, contract, seed, share
        factor = torch.full_like(proprio_std, config.hand_noise_std)
        factor[ARM] = config.arm_noise_std
        self.proprio_sigma = (config.proprio_noise**2 + (factor * proprio_std) ** 2).sqrt()
        self._generator = torch.Generator(proprio_std.device)

    def __call__(self, batch: SegmentBatch, step: int) -> SegmentBatch:
        """Returns `batch` with the changes of `step`."""
        self._restart(step, _ACTING)
        proprio = batch.proprio + self._normal(batch.proprio) * self.proprio_sigma
        change = self._depth if self.contract.vision == "depth" else self._cloud
        batch = replace(batch, proprio=proprio, vision=change(batch.vision))
        motion = self._table_motion(batch.vision)
        if motion is not None:
            motion = motion[:, None].expand(-1, batch.vision.shape[1], -1)
        return replace(batch, table_motion=motion)

    def aims(self, batch: AimBatch, step: int) -> AimBatch:
        """Returns the single frames `batch` with the changes of `step`."""
        self._restart(step, _AIMING)
        farthest_m = self.config.displaced_m * (batch.below_m > 0)[:, None]
        shift_m = self._uniform(batch.grasp_m) * farthest_m
        other_m = shift_m
        if self.config.displaced_apart:
            other_m = self._uniform(batch.grasp_m) * farthest_m
        held = batch.held[:, None]
        displacement = Displacement(
            below_m=batch.below_m,
            grasp_m=batch.grasp_m,
            goal_m=batch.goal_m,
            by_grasp_m=torch.where(held, other_m, shift_m),
            by_goal_m=torch.where(held, shift_m, other_m),
        )
        vision = self._depth(batch.vision[:, None])[:, 0]
        motion = self._table_motion(batch.vision)
        aim = moved_aim(batch.aim, shift_m, None if motion is None else motion[:, 0])
        return replace(
            batch, vision=vision, aim=aim, table_motion=motion, displacement=displacement
        )

    def _restart(self, step: int, stream: int) -> None:
        self._generator.manual_seed((2 * self.seed + stream << 32) + step)

    def _cloud(self, points: Tensor) -> Tensor:
        noise = self.config.cloud_noise_m
        return points + self._normal(points) * noise if noise else points

    def _depth(self, depth: Tensor) -> Tensor:
        c, contract = self.config, self.contract.depth
        if c.depth_shift_px or c.depth_scale:
            depth = self._shake(depth)
        if c.depth_offset_m:
            depth = depth + self._uniform(depth[:, :1, :1, :1]) * c.depth_offset_m
        if c.depth_noise_m:
            noise, squared = self._normal(depth), depth.square()
            depth = torch.addcmul(depth, noise, squared, value=c.depth_noise_m)
        if c.depth_dropout:
            depth = self._with_holes(depth)
        return depth.clamp(contract.near_m, contract.far_m)

    def _with_holes(self, depth: Tensor) -> Tensor:
        """Returns depth (S, F, H, W) in which pixels read far: of each image so many, at random."""
        segments, frames, height, width = depth.shape
        pixels = height * width
        # Some are hit twice: so many draws leave the share that is wanted.
        draws = round(-pixels * math.log1p(-self.config.depth_dropout))
        whole = (segments * self.share.of, frames, draws)
        hit = torch.randint(pixels, whole, generator=self._generator, device=depth.device)
        holed = depth.flatten(2).scatter(2, self._mine(hit), self.contract.depth.far_m)
        return holed.view_as(depth)

    def _shake(self, depth: Tensor) -> Tensor:
        """Returns each segment (S, F, H, W) shifted and scaled as a whole: one camera."""
        s, _, height, _ = depth.shape
        draw = self._uniform(depth.new_empty(s, 3))
        transform = depth.new_zeros(s, 2, 3)
        transform[:, 0, 0] = transform[:, 1, 1] = 1 + draw[:, 0] * self.config.depth_scale
        transform[:, :, 2] = draw[:, 1:] * self.config.depth_shift_px * 2 / height
        grid = F.affine_grid(transform, [s, 1, *depth.shape[2:]], align_corners=False)
        # The nearest pixel, since a mean across an edge is a depth where nothing is.
        return F.grid_sample(
            depth, grid, mode="nearest", padding_mode="border", align_corners=False
        )

    def _table_motion(self, depth: Tensor) -> Tensor | None:
        """Returns a motion (S, 3) for each of the S first dimensions of `depth`: one camera."""
        turn, shift = self.config.table_turn_rad, self.config.table_shift_m
        if self.contract.vision != "depth" or not (turn or shift):
            return None
        draw = self._uniform(depth.new_empty(len(depth), 3))
        return draw * draw.new_tensor([turn, shift, shift])

    def _normal(self, like: Tensor) -> Tensor:
        return self._mine(self._whole(like).normal_(generator=self._generator))

    def _uniform(self, like: Tensor) -> Tensor:
        return self._mine(self._whole(like).uniform_(-1, 1, generator=self._generator))

    def _whole(self, like: Tensor) -> Tensor:
        """Room for the whole batch of which `like` (S, ...) is a share."""
        return like.new_empty(len(like) * self.share.of, *like.shape[1:])

    def _mine(self, whole: Tensor) -> Tensor:
        return whole[self.share.rows(len(whole))]
