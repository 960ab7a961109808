"""The human hand beside the robot that follows it: the track of a trajectory, laid over it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hop_core.errors import TrackError
from hop_sim.retarget.scaling import scaled
from hop_sim.tracks.config import FilterConfig
from hop_sim.tracks.files import list_tracks, load_track
from hop_sim.tracks.resample import resample
from hop_sim.tracks.rigid import pose, rotation_about, transform
from hop_sim.trajectories.track_result import TrackInfo

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Overlay:
    """The hand along a trajectory of T frames, whose last N are the track's.

    Attributes:
        keypoints_m: (T, 21, 3) in base_link; before the track begins, where it begins.
        lead_in: T - N, frames in which the robot moves to where the track begins.
        time_scale: at which the track was resampled.
    """

    keypoints_m: np.ndarray
    lead_in: int
    time_scale: float

    @property
    def waiting(self) -> np.ndarray:
        """(T,) whether the track has not begun."""
        return np.asarray(np.arange(len(self.keypoints_m)) < self.lead_in)


class TrackFolder:
    """Finds tracks by their names in a folder and those below it."""

    def __init__(self, folder: Path, filters: FilterConfig, scale: float = 1.0) -> None:
        """List the tracks; none is read yet.

        Args:
            folder: of the tracks.
            filters: how they are smoothed.
            scale: at which they are retargeted.

        Raises:
            TrackError: there is no such folder.
        """
        self._folder = folder
        self._filters = filters
        self._scale = scale
        self._paths: dict[str, list[Path]] = {}
        for path in list_tracks(folder):
            self._paths.setdefault(path.name.removesuffix(".json"), []).append(path)

    def overlay(self, info: TrackInfo, table_xyz_yaw: np.ndarray, frames: int) -> Overlay:
        """Return the hand of the track `info` along a trajectory.

        The track is resampled as retargeting does, with the filters in force here; what comes
        before it in the trajectory is the lead-in.

        Args:
            info: the track as the store knows it.
            table_xyz_yaw: (4,) the table in base_link [m, rad].
            frames: T of the trajectory.

        Raises:
            TrackError: the track is not in the folder, damaged, not as long as the trajectory's
                maker found it, or nobody knows where its table stood.
        """
        paths = self._paths.get(info.name, [])
        if len(paths) != 1:
            found = ", ".join(str(path) for path in paths) or "no such track"
            raise TrackError(f"{self._folder}: needs one track '{info.name}', holds {found}")
        if not np.isfinite(table_xyz_yaw).all():
            raise TrackError(f"{info.name}: the store does not know where its table stood")
        steps = resample(scaled(load_track(paths[0]), self._scale), self._filters)
        count = len(steps.keypoints_m)
        if count > frames or count != info.provenance.get("frames", count):
            raise TrackError(
                f"{paths[0]}: has {count} steps, the trajectory {frames}, of which "
                f"{info.provenance.get('frames', 'some')} follow the track: it was made from "
                "another track, or with other settings"
            )
        lead_in = frames - count
        x, y, z, yaw = (float(value) for value in table_xyz_yaw)
        T_base_table = pose(rotation_about(_UP, yaw), np.array([x, y, z]))
        hand = transform(T_base_table, steps.keypoints_m)
        waiting = np.repeat(hand[:1], lead_in, axis=0)
        return Overlay(np.concatenate([waiting, hand]), lead_in, steps.time_scale)
