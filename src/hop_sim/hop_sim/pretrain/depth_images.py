"""Depth images of frames, as they were rendered beside a store, kept as 16-bit integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hop_core.errors import TrajectoryError
from hop_policy.contract import PolicyContract
from hop_policy.frame_rows import LEVELS, Int16Rows
from hop_sim.pretrain.selection import Part
from hop_sim.trajectories.depth.codes import STEP_M
from hop_sim.trajectories.depth.layout import CODE_CHUNK_ROWS
from hop_sim.trajectories.depth.reading import StoredDepth
from hop_sim.trajectories.depth.record import COMMAND
from hop_sim.trajectories.store import TrajectoryStore

_BLOCK_ROWS = 4 * CODE_CHUNK_ROWS


class DepthImages:
    """Vision as the stored codes: 7,200 bytes a frame, not the 14,400 of float32."""

    def __init__(
        self,
        frames: int,
        stores: Sequence[TrajectoryStore],
        contract: PolicyContract,
        device: torch.device,
    ) -> None:
        """Makes room for `frames` images and opens the depth of all `stores`.

        Raises:
            TrajectoryError: see `require_depth`.
        """
        self._depth = {store.address: require_depth(store, contract) for store in stores}
        self._codes = torch.empty(frames, *contract.vision_shape, dtype=torch.int16, device=device)
        # Codes count from 0, these integers from -32767: the range is that of all 16 bits.
        self._rows = Int16Rows(self._codes, 0.0, LEVELS * STEP_M)

    def fill(self, at: int, part: Part) -> None:
        """Takes the observations of `part` as the frames from `at` on.

        Raises:
            TrajectoryError: an image is damaged.
        """
        depth, wanted = self._depth[part.store.address], part.pairs().observation
        rows = part.track.frame_rows
        for first in range(rows.start, rows.stop, _BLOCK_ROWS):
            block = slice(first, min(first + _BLOCK_ROWS, rows.stop))
            i, j = np.searchsorted(wanted, [block.start, block.stop])
            if i < j:
                codes = depth.codes(block)[wanted[i:j] - first].astype(np.int32) - LEVELS // 2
                self._codes[at + i : at + j] = torch.from_numpy(codes.astype(np.int16))

    def __call__(self, index: Tensor) -> Tensor:
        """Returns the images (..., 60, 60) [m] of the frames `index` (...)."""
        return self._rows(index)


def require_depth(store: TrajectoryStore, contract: PolicyContract) -> StoredDepth:
    """Returns the depth of `store`, if a policy of `contract` sees the world so.

    Raises:
        TrajectoryError: there is none or not of all trajectories, it is damaged, or it was made by
            another treatment, of which the field is named.
    """
    depth = StoredDepth(store)
    made = depth.record.recipe.contract.model_dump()
    for name, wanted in contract.depth.model_dump().items():
        if made[name] != wanted:
            raise TrajectoryError(
                f"{store.address}: depth.{name}: its images were made with {made[name]}, the "
                f"policy's contract has {wanted}; render them for this contract, or change "
                "config/policy.yaml"
            )
    if depth.record.trajectories < len(store):
        raise TrajectoryError(
            f"{store.address}: its depth is rendered for {depth.record.trajectories} of "
            f"{len(store)} trajectories; go on with {COMMAND} {store.address}"
        )
    return depth
