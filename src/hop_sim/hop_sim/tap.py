"""What a recorder of lock-step sees."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Tap(Protocol):
    """Sees everything that the live graph would carry, with its ROS times; a recorder, say."""

    def arm(self, stamp_ns: int, q: np.ndarray, qd: np.ndarray, effort: np.ndarray) -> None:
        """Arm joint state: (7,) [rad, rad/s, Nm]."""

    def hand(self, stamp_ns: int, q: np.ndarray, qd: np.ndarray, effort: np.ndarray) -> None:
        """Hand joint state: (16,) [rad, rad/s, Nm]."""

    def depth(self, stamp_ns: int, depth_mm: np.ndarray) -> None:
        """Depth image (H, W) uint16 [mm] as published."""

    def tick(self, tick_ns: int, chosen_ns: dict[str, int]) -> None:
        """A tick and the stamp that it chose of each stream."""

    def target(
        self, tick_ns: int, accepted_ns: int, wanted: np.ndarray, accepted: np.ndarray
    ) -> None:
        """A source's target and what the safety filter made of it, (23,) [rad]."""
