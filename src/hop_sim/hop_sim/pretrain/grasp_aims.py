"""Where the hands of trajectories will take hold, for the frames before they do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hop_policy.aim import Aiming
from hop_policy.contract import PolicyContract
from hop_policy.frame_store import FrameStore
from hop_sim.pretrain.selection import Part
from hop_sim.trajectories.depth.reading import StoredDepth


def aim_rows(parts: Sequence[Part], frames: FrameStore, contract: PolicyContract) -> np.ndarray:
    """Return the aims (N, 6) of all frames of `frames`, which are those of `parts`, in order.

    A hand takes hold where its track first touches the object; the camera is that of the images.

    Raises:
        TrajectoryError: a column is damaged.
    """
    aiming = Aiming(contract)
    rows, episode = [], 0
    for part in parts:
        T_base_cam = StoredDepth(part.store).record.recipe.camera.T_base_cam
        pairs = part.pairs()
        touching = part.store.read("frames/contact", part.track.frame_rows)[
            pairs.observation - part.track.first_frame
        ]
        ends = np.cumsum(frames.lengths[episode : episode + len(part)])
        for flags in np.split(touching, ends[:-1]):
            proprio = frames.proprio(frames.episode(episode)).cpu().numpy()
            rows.append(aiming.rows(proprio, int(flags.argmax()), T_base_cam))
            episode += 1
    return np.concatenate(rows)
