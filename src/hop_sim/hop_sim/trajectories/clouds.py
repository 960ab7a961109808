"""Point clouds of the object along trajectories: what a point-cloud policy sees in base_link."""

from __future__ import annotations

import numpy as np

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.layout import CLOUD
from hop_sim.trajectories.poses import posed
from hop_sim.trajectories.store import TrajectoryStore


def cloud_rows(store: TrajectoryStore, rows: slice) -> np.ndarray:
    """Return the object at contiguous rows of frames/: (n, 100, 3) float32 in base_link [m].

    The points keep their order from row to row. The rows of a trajectory are
    `store.frame_rows(number)`.

    Raises:
        TrajectoryError: the rows are not contiguous, or a column is damaged.
    """
    start, stop, step = rows.indices(store.frames)
    if step != 1:
        raise TrajectoryError(f"clouds: rows must be contiguous; take every {step}th yourself")
    poses = store.read("frames/object_pose", slice(start, max(start, stop)))
    row = np.arange(start, start + len(poses))
    trajectory = np.searchsorted(store.read("episodes/start"), row, side="right") - 1
    shown, which = np.unique(store.read("episodes/object")[trajectory], return_inverse=True)
    clouds = store.read(CLOUD.path)[shown]
    return posed(clouds[which], poses).astype(np.float32)
