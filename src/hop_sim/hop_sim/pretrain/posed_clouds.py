"""Point clouds of frames, posed on the training device when a batch asks for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from hop_core.errors import TrajectoryError
from hop_sim.pretrain.selection import Part
from hop_sim.trajectories.layout import CLOUD
from hop_sim.trajectories.store import TrajectoryStore


class PosedClouds:
    """Vision as object poses and each object's canonical cloud: 32 bytes a frame, not 1,200."""

    def __init__(
        self, frames: int, stores: Sequence[TrajectoryStore], device: torch.device
    ) -> None:
        """Makes room for `frames` poses and reads the clouds of all objects of `stores`."""
        clouds = [store.read(CLOUD.path) for store in stores]
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in clouds])[:-1]])
        self._offsets = dict(zip((store.address for store in stores), offsets, strict=True))
        self._clouds = torch.from_numpy(np.concatenate(clouds)).to(device)  # (O, P, 3)
        self._poses = torch.empty(frames, 7, device=device)
        self._objects = torch.empty(frames, dtype=torch.int32, device=device)

    def fill(self, at: int, part: Part) -> None:
        """Takes the observations of `part` as the frames from `at` on.

        Raises:
            TrajectoryError: a pose is not finite.
        """
        store, track, pairs = part.store, part.track, part.pairs()
        poses = store.read("frames/object_pose", track.frame_rows)
        if not np.isfinite(poses).all():
            raise TrajectoryError(
                f"{store.address}: track '{track.info.name}': frames/object_pose: holds NaN or "
                "infinity; check the store (hop trajectories check)"
            )
        shown = store.read("episodes/object", track.episode_rows)
        rows = slice(at, at + len(pairs))
        self._poses[rows] = torch.from_numpy(poses[pairs.observation - track.first_frame])
        objects = shown[pairs.trajectory - track.first_trajectory] + self._offsets[store.address]
        self._objects[rows] = torch.from_numpy(objects.astype(np.int32))

    def __call__(self, index: Tensor) -> Tensor:
        """Returns the clouds (..., P, 3) [m] in base_link of the frames `index` (...)."""
        poses, clouds = self._poses[index], self._clouds[self._objects[index]]
        turned: Tensor = clouds @ rotation(poses[..., 3:]).transpose(-1, -2)
        return turned.add_(poses[..., None, :3])


def rotation(quaternion: Tensor) -> Tensor:
    """Returns the rotation matrices (..., 3, 3) of unit quaternions w, x, y, z (..., 4)."""
    w, x, y, z = quaternion.unbind(-1)
    rows = torch.stack(
        [
            *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        ],
        dim=-1,
    )
    return rows.reshape(*quaternion.shape[:-1], 3, 3)
