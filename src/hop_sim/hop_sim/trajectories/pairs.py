"""Which target answers which observation: decided here and nowhere else.

Frame k holds what the robot was *after* step k, and the target of step k that brought it there. A
policy that saw the frame k - 1 must give the target of frame k. The target of equal number is
nearly what the posture shows already: learning it is learning to copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pairs:
    """P observations and their labels, as rows of the columns of frames/.

    Attributes:
        observation: (P,) int64 rows of q and object_pose.
        label: (P,) int64 rows of q_target (or q_raw) that answer them.
        trajectory: (P,) int64 number of the trajectory that both are of.
    """

    observation: np.ndarray
    label: np.ndarray
    trajectory: np.ndarray

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.observation)


def pair(start: np.ndarray, length: np.ndarray) -> Pairs:
    """Return the pairs of trajectories, in their order; the last frame of each has no label.

    Args:
        start: (M,) first row of each trajectory.
        length: (M,) rows of each.
    """
    count = np.maximum(np.asarray(length, dtype=np.int64) - 1, 0)
    trajectory = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    observation = np.asarray(start, dtype=np.int64)[trajectory] + (
        np.arange(count.sum()) - before[trajectory]
    )
    return Pairs(observation, observation + 1, trajectory)
