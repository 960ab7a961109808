"""The scripted expert of Grasp & Pour: take the bottle from behind, tilt it over the bowl."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hop_sim.experts.bowl_expert import BOWL_LEEWAY, BowlExpert
from hop_sim.experts.grasp import SIDE
from hop_sim.experts.motion import Leg, shortest_turn
from hop_sim.tasks.bowl import BOWL
from hop_sim.tasks.grasp_pour import GraspPourConfig
from hop_sim.tasks.task import SceneView

# Of what no image tells, demonstrations vary little: a policy does what lies between them.
# Height of the mouth above the bowl's foot, from and to: hand and bottle hide little of the bowl.
OVER_M = (0.22, 0.24)
TILT_RAD = (np.radians(73.0), np.radians(80.0))  # success asks for 60 degrees
HEADING_RAD = 0.1  # half-width of where the bottle points, about the robot's right
BESIDE_M = np.array([0.0, 0.06, 0.05])  # the way to the bowl ends above that and to the left
CARRY_SHARE = 0.6  # of the tilt is done on the way to the bowl
MISSED_M = 0.05  # so far beside it, at most, that way ends, and a shorter one corrects it
_AIM_M = 0.03  # a mouth that is farther from where it is wanted is aimed anew; success allows 0.04,
_AIM_RAD = np.radians(6.0)  # and so is an axis,
_HOLD_S = 1.0  # in the mean of so long: the hand may stray, the bottle may not


@dataclass(frozen=True)
class _Lie:
    """How the bottle lies in the hand, and where the bowl is.

    Attributes:
        axis: (3,) of the bottle, in base_link.
        mouth_to_grip_m: (3,) from its mouth to the point that grips, in base_link.
        bowl_m: (3,) the bowl's foot.
    """

    axis: np.ndarray
    mouth_to_grip_m: np.ndarray
    bowl_m: np.ndarray

    @classmethod
    def of(cls, view: SceneView, mouth_m: np.ndarray, grip_m: np.ndarray) -> _Lie:
        """Look; `mouth_m` (3,) is there, `grip_m` (3,) where the point that grips is told to be."""
        return cls(view.T_base_object[:3, 2], grip_m - mouth_m, view.poses[BOWL][:3, 3])


class PourExpert(BowlExpert):
    """Takes the bottle, carries it to the bowl and tilts; aims again until the mouth is right."""

    grasps: ClassVar = {"bottle": SIDE}
    lift_m = 0.10

    def __init__(
        self,
        rng: np.random.Generator,
        tick_s: float,
        task: GraspPourConfig,
        takes_as: str | None = None,
    ) -> None:
        """Draw this expert's episodes; arguments are those of `Expert`."""
        super().__init__(rng, tick_s, task, takes_as)
        self._mouth_m = np.array(task.mouth_m)

    def _draw_more(self, rng: np.random.Generator) -> None:
        super()._draw_more(rng)
        self._tilt_rad = rng.uniform(*TILT_RAD)
        self._heading_rad = -np.pi / 2 + rng.uniform(-HEADING_RAD, HEADING_RAD)
        off_rad, off_m = rng.uniform(-np.pi, np.pi), MISSED_M * np.sqrt(rng.uniform())
        self._missed_m = off_m * np.array([np.cos(off_rad), np.sin(off_rad), 0.0])
        self._over_m = np.array([0.0, 0.0, rng.uniform(*OVER_M)])

    def _begin(self, phase: Callable[[SceneView], None], delay_s: float = 0.0) -> None:
        super()._begin(phase, delay_s)
        self._lie: _Lie | None = None
        self._off: deque[np.ndarray] = deque(maxlen=round(_HOLD_S / self._tick_s))

    def _take_away(self, _view: SceneView) -> None:
        """Lift the bottle: off the table it settles in the hand."""
        if self._follow([self._up()], self._carry_m_s) >= 1.0:
            self._begin(self._carry)

    def _carry(self, view: SceneView) -> None:
        """Bring the bottle to the bowl, tilting, and a little beside; it may have been lost."""
        if self._lost(view):
            return
        beside = self._pointed(view, CARRY_SHARE * self._tilt_rad, self._aside_m + BESIDE_M)
        missed = self._pointed(view, self._tilt_rad, self._missed_m)
        if self._follow([beside, missed], self._carry_m_s) >= 1.0:
            self._begin(self._aim)

    def _hold(self, view: SceneView) -> None:
        """Stay; a mouth that is not where it is wanted is aimed anew."""
        if self._lost(view):
            return
        self.leeway = BOWL_LEEWAY
        tilt_rad = np.arccos(np.clip(view.T_base_object[2, 2], -1.0, 1.0))
        off_m = self._mouth(view) - view.poses[BOWL][:3, 3] - self._over_m
        self._off.append(np.array([*off_m, tilt_rad - self._tilt_rad]))
        if len(self._off) == self._off.maxlen:
            off = np.mean(self._off, axis=0)
            if np.linalg.norm(off[:3]) > _AIM_M or abs(off[3]) > _AIM_RAD:
                self._begin(self._aim)

    def _aim(self, view: SceneView) -> None:
        if self._lost(view):
            return
        pointed = self._pointed(view, self._tilt_rad)
        if self._follow([pointed], self._carry_m_s, BOWL_LEEWAY) >= 1.0:
            self._begin(self._hold)

    def _mouth(self, view: SceneView) -> np.ndarray:
        """Return where the bottle's mouth is (3,) [m]."""
        bottle = view.T_base_object
        return np.asarray(bottle[:3, :3] @ self._mouth_m + bottle[:3, 3])

    def _pointed(self, view: SceneView, tilt_rad: float, aside_m: np.ndarray | float = 0.0) -> Leg:
        """Return the leg that brings axis and mouth of the bottle to where they are wanted.

        How it lies in the hand is looked at once a phase.
        """
        lie = self._lie = self._lie or _Lie.of(view, self._mouth(view), self._start)
        heading = np.array([np.cos(self._heading_rad), np.sin(self._heading_rad), 0.0])
        axis = np.sin(tilt_rad) * heading + np.cos(tilt_rad) * np.array([0.0, 0.0, 1.0])
        turn = shortest_turn(lie.axis, axis)
        goal = lie.bowl_m + self._over_m + aside_m + turn @ lie.mouth_to_grip_m
        return Leg(goal, turn @ self._start_rotation)
