"""Whether the frames of a run fit into the memory of the training device."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil
import torch

from hop_core.errors import TrajectoryError
from hop_sim.pretrain.selection import Part

_SHARE = 0.8
"""Of the free memory; the rest is for the network, its gradients and the batches."""


def require_room(parts: Sequence[Part], frame_bytes: int, device: torch.device) -> None:
    """Passes if the frames of `parts` fit into the free memory of `device`.

    Every process of torchrun holds all of them; those of a CPU share its memory.

    Raises:
        TrajectoryError: they do not; says how many trajectories would.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if device.type == "cpu" else 1
    frames = sum(len(part.pairs()) for part in parts)
    needed, room = here * frames * frame_bytes, _SHARE * free_bytes(device)
    if needed > room:
        trajectories = sum(map(len, parts))
        raise TrajectoryError(
            f"{frames} frames of {trajectories} trajectories take {needed / 1e9:.3g} GB, and "
            f"{room / 1e9:.3g} GB of {device} are free for them; draw at most "
            f"{int(trajectories * room / needed)}: hop trajectories thin"
        )


def free_bytes(device: torch.device) -> int:
    """Returns the memory of `device` that is free."""
    if device.type == "cuda":
        torch.cuda.empty_cache()  # what an earlier run of this process held is free as well
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
