"""The scripted expert of Grasp & Drop: take the upper cube, carry it over the bowl, let go."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hop_sim.experts.bowl_expert import BOWL_LEEWAY, BowlExpert
from hop_sim.experts.grasp import UNSTACK
from hop_sim.experts.motion import Leg
from hop_sim.tasks.bowl import BOWL
from hop_sim.tasks.task import SceneView

OVER_M = 0.17  # height of the cube's centre above the bowl's foot where its way turns down,
DROP_M = 0.12  # and where it is let go: the fingers stay above the rim
CLEAR_M = 0.10  # the hand withdraws so far upward
_IN_BOWL_M = 0.07  # a cube so near the bowl's axis is in it
_WATCH_S = 1.6  # success takes a second; a cube that is not in the bowl by then has missed it
_OPEN_S = 0.5


class DropExpert(BowlExpert):
    """Unstacks; it tries again when the cube slipped or missed the bowl."""

    grasps: ClassVar = {"cube": UNSTACK}
    lift_m = 0.14

    def _take_away(self, view: SceneView) -> None:
        """Carry the cube up, over the bowl and down; a cube that is not in the hand was lost."""
        if self._lost(view):
            return
        bowl_m, rotation = view.poses[BOWL][:3, 3], self._start_rotation
        over = bowl_m + np.array([0.0, 0.0, OVER_M]) + self._aside_m
        down = bowl_m + np.array([0.0, 0.0, DROP_M])
        legs = [self._up(), Leg(over, rotation), Leg(down, rotation)]
        if self._follow(legs, self._carry_m_s, BOWL_LEEWAY) >= 1.0:
            self._begin(self._let_go)

    def _let_go(self, _view: SceneView) -> None:
        self.leeway = BOWL_LEEWAY
        share = min(1.0, self._phase_s / _OPEN_S)
        self._shape(self.grasp.open, share)
        if share >= 1.0:
            self._begin(self._withdraw)

    def _withdraw(self, _view: SceneView) -> None:
        goal = self._start + np.array([0.0, 0.0, CLEAR_M])
        if self._follow([Leg(goal, self._start_rotation)], self._carry_m_s) >= 1.0:
            self._begin(self._watch)

    def _watch(self, view: SceneView) -> None:
        """Stay; a cube beside the bowl is taken again."""
        apart = (self._grip(view) - view.poses[BOWL][:3, 3])[:2]
        if self._phase_s > _WATCH_S and np.linalg.norm(apart) > _IN_BOWL_M:
            self._begin(self._approach)
