"""The trajectories of a store, to choose from and to draw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hop_core.errors import TrackError, TrajectoryError
from hop_core.retargeting.config import RetargetConfig
from hop_sim.tracks.config import FilterConfig
from hop_sim.trajectories.reading import read_trajectory
from hop_sim.trajectories.rows import TrackRow
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.trajectory import Trajectory
from hop_sim.view.drawing import Drawing
from hop_sim.view.overlay import Overlay, TrackFolder
from hop_sim.view.trajectory_drawing import Episode, draw_trajectory

_MOST_NAMED = 12  # attempts in an error


@dataclass(frozen=True)
class Choice:
    """Which trajectory is asked for.

    Attributes:
        track: name of its track; None: not said.
        attempt: number of the attempt at that track; None: the first that was kept.
        index: number in the store, instead of the two; None: not said.
    """

    track: str | None = None
    attempt: int | None = None
    index: int | None = None


class Episodes:
    """Draws trajectories of one store by their numbers."""

    def __init__(
        self,
        store: TrajectoryStore,
        retarget: RetargetConfig,
        filters: FilterConfig,
        tracks: Path | None = None,
    ) -> None:
        """Keep the store open.

        Args:
            store: the trajectories.
            retarget: which points of the robot are its keypoints, and the scale of hands.
            filters: how tracks are smoothed.
            tracks: folder of the tracks that the trajectories follow; None: hands are not drawn.

        Raises:
            TrajectoryError: the store holds no trajectory.
            TrackError: there is no folder `tracks`.
        """
        if not len(store):
            raise TrajectoryError(f"{store.address}: holds no trajectory to look at")
        self._store = store
        self._retarget = retarget
        self._tracks = None if tracks is None else TrackFolder(tracks, filters, retarget.scale)

    def __len__(self) -> int:
        """Number of trajectories."""
        return len(self._store)

    def find(self, choice: Choice) -> int:
        """Return the number in the store of what is asked for; the first if nothing is.

        Raises:
            TrajectoryError: there is no such trajectory, or the question contradicts itself.
        """
        if choice.track is not None and choice.index is None:
            return self._find_attempt(self._row(choice.track), choice.attempt)
        if choice.track is not None or choice.attempt is not None:
            raise TrajectoryError(
                "name a trajectory by --track with or without --attempt, or by --index alone"
            )
        index = choice.index or 0
        if not 0 <= index < len(self):
            raise TrajectoryError(
                f"{self._store.address}: has no trajectory {index}; --index goes from 0 to "
                f"{len(self) - 1}"
            )
        return index

    def drawing(self, index: int) -> Drawing:
        """Return the drawing of trajectory `index`.

        Raises:
            TrajectoryError: there is no such trajectory, or it is damaged.
            ViewError: its object's points span no solid.
        """
        row, trajectory = read_trajectory(self._store, index)
        known = {each.name: each for each in self._store.objects}
        overlay, note = self._overlay(row, trajectory)
        episode = Episode(
            index=index,
            info=row.info,
            trajectory=trajectory,
            model=self._store.model(known[trajectory.object_name]),
            rate_hz=self._store.header.rate_hz,
            overlay=overlay,
            overlay_note=note,
        )
        return draw_trajectory(episode, self._retarget)

    def _overlay(self, row: TrackRow, trajectory: Trajectory) -> tuple[Overlay | None, str]:
        """The hand along a trajectory, or why there is none."""
        if self._tracks is None:
            return None, "name the folder of its track with --tracks"
        table = np.asarray(trajectory.scene.table_xyz_yaw, dtype=np.float64)
        try:
            return self._tracks.overlay(row.info, table, len(trajectory.frames)), ""
        except TrackError as error:
            return None, str(error)

    def _row(self, name: str) -> TrackRow:
        for row in self._store.tracks:
            if row.info.name == name:
                return row
        raise TrajectoryError(
            f"{self._store.address}: has no track '{name}'; hop trajectories list names its "
            f"{len(self._store.tracks)}"
        )

    def _find_attempt(self, row: TrackRow, attempt: int | None) -> int:
        attempts = self._store.read("episodes/attempt", row.episode_rows)
        if not len(attempts):
            raise TrajectoryError(
                f"{self._store.address}: track '{row.info.name}': none of its {row.attempts} "
                "attempts was kept"
            )
        if attempt is None:
            return row.first_trajectory
        found = np.flatnonzero(attempts == attempt)
        if not len(found):
            raise TrajectoryError(
                f"{self._store.address}: track '{row.info.name}': attempt {attempt} was not kept "
                f"or not made; kept are {_some(attempts)}"
            )
        return row.first_trajectory + int(found[0])


def _some(numbers: np.ndarray) -> str:
    shown = ", ".join(str(number) for number in numbers[:_MOST_NAMED])
    more = len(numbers) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
