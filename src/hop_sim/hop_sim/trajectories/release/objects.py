"""Which object a cloud is of: the release gives points only, in the same order for each object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from hop_sim.trajectories.poses import fit_poses
from hop_sim.trajectories.track_result import ObjectModel


class KnownObjects:
    """The objects that were met so far, by name; a new one is named after its points."""

    def __init__(self, known: Mapping[str, ObjectModel], same_object_m: float) -> None:
        """Begin with `known`; clouds that fit better than `same_object_m` are of one object."""
        self.models = dict(known)
        self._same_object_m = same_object_m

    def name_of(self, cloud: np.ndarray) -> str:
        """Return the name of the object that `cloud` (100, 3) [m] shows, in whatever pose."""
        cloud = np.asarray(cloud, dtype=np.float64)
        if self.models:
            clouds = np.stack([model.cloud for model in self.models.values()])
            distance_m = fit_poses(cloud, clouds)[1]
            if distance_m.min() < self._same_object_m:
                return list(self.models)[int(distance_m.argmin())]
        points = (cloud - cloud.mean(axis=0)).astype(np.float32)
        name = f"release_{hashlib.sha256(points.tobytes()).hexdigest()[:8]}"
        self.models[name] = ObjectModel(points, points)
        return name
