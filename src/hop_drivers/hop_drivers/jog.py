"""Jogging joint by joint with keys: which joint is chosen, and where it shall go; pure."""

from __future__ import annotations

import threading

import numpy as np

from hop_core.embodiment import JOINT_NAMES, Embodiment

_STEPS_RAD = (0.01, 0.02, 0.05)


class Jog:
    """A target of 23 joints that keys move in small steps from the command in force.

    Attributes:
        q: (23,) target [rad]; None until started.
    """

    def __init__(self, embodiment: Embodiment) -> None:
        self._embodiment = embodiment
        self._joint = 0
        self._step = 1
        self._changing = threading.Lock()  # keys come from one thread, reports from another
        self.q: np.ndarray | None = None

    @property
    def joint(self) -> str:
        """Name of the chosen joint."""
        return JOINT_NAMES[self._joint]

    @property
    def step_rad(self) -> float:
        """Size of one step [rad]."""
        return _STEPS_RAD[self._step]

    def start(self, q: np.ndarray) -> None:
        """Begin at the command in force (23,) [rad]."""
        with self._changing:
            self.q = q.copy()

    def stop(self) -> None:
        """Forget the target: the next jog starts from the command then in force."""
        with self._changing:
            self.q = None

    def choose(self, by: int) -> None:
        """Choose the next or previous joint, around the end."""
        self._joint = (self._joint + by) % len(JOINT_NAMES)

    def resize(self) -> None:
        """Take the next size of step, around the end."""
        self._step = (self._step + 1) % len(_STEPS_RAD)

    def move(self, sign: int, command: np.ndarray) -> None:
        """Move the chosen joint by one step, inside the device's limits; nothing before `start`.

        What the robot did not get to is given up: all other joints stay where they are, and the
        chosen one is never more than two steps ahead. Else what a bound held back would be made up
        for as soon as it lets go.

        Args:
            sign: 1 or -1.
            command: (23,) the command in force [rad].
        """
        with self._changing:
            if self.q is None:
                return
            q, joint = command.copy(), self._joint
            if 0.0 < sign * (self.q[joint] - q[joint]) <= self.step_rad:
                q[joint] = self.q[joint]
            q[joint] += sign * self.step_rad
            self.q = self._embodiment.clip(q)
