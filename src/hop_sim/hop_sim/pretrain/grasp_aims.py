"""Where the hands of trajectories will take hold, for the frames before they do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hop_policy.aim import Aiming, may_not_move
from hop_policy.cell_statics import CellFrames
from hop_policy.contract import PolicyContract
from hop_policy.frame_store import FrameStore
from hop_sim.pretrain.hidden_objects import Objects
from hop_sim.pretrain.posed_clouds import rotation
from hop_sim.pretrain.selection import Part
from hop_sim.trajectories.depth.reading import StoredDepth
from hop_sim.trajectories.layout import CLOUD
from hop_sim.trajectories.pairs import Pairs


def aim_rows(
    parts: Sequence[Part],
    frames: FrameStore,
    contract: PolicyContract,
    object_m: float,
    objects: Objects = "shown",
) -> np.ndarray:
    """Return what all frames of `frames`, those of `parts` in order, teach (N, `aim.ROW`).

    A hand takes hold where its track first touches the object; the camera is that of the images.
    Where the object is taller than `object_m` over the table, or no table is known, the hand does
    not count as above it. Nor where a control sees something else: moved along with the aim, even
    a stranger's scene would tell it.

    Raises:
        TrajectoryError: a column is damaged.
    """
    aiming, rows, episode = Aiming(contract, object_m), [], 0
    for part in parts:
        T_base_cam = StoredDepth(part.store).record.recipe.camera.T_base_cam
        pairs = part.pairs()
        touching = part.store.read("frames/contact", part.track.frame_rows)
        touching = touching[pairs.observation - part.track.first_frame]
        tables = part.store.read("scene/table_xyz_yaw", part.track.episode_rows)
        tables = tables[part.numbers - part.track.first_trajectory]
        tops_m = _tops_m(part, pairs)
        ends = np.cumsum(frames.lengths[episode : episode + len(part)])[:-1]
        for table, flags, top_m in zip(
            tables, np.split(touching, ends), np.split(tops_m, ends), strict=True
        ):
            T_base_table = np.eye(4)
            T_base_table[:3, 3] = table[:3]
            proprio = frames.proprio(frames.episode(episode)).cpu().numpy()
            cell = CellFrames(T_base_cam, T_base_table)
            own = aiming.rows(proprio, int(flags.argmax()), cell)
            clear = (top_m - table[2] < object_m) & (objects == "shown")
            may_not_move(own, ~clear)  # nor where the table is NaN
            rows.append(own)
            episode += 1
    return np.concatenate(rows)


def _tops_m(part: Part, pairs: Pairs) -> np.ndarray:
    """Return (P,): how high in base_link the object's highest point is in each observation."""
    store, track = part.store, part.track
    poses = store.read("frames/object_pose", track.frame_rows)
    poses = poses[pairs.observation - track.first_frame]
    objects = store.read("episodes/object", track.episode_rows)
    clouds = store.read(CLOUD.path)[objects[pairs.trajectory - track.first_trajectory]]
    up = rotation(torch.from_numpy(poses[:, 3:]))[:, 2].numpy()  # z of base_link, in the object
    return np.asarray(poses[:, 2] + np.einsum("pkc,pc->pk", clouds, up).max(axis=1))
