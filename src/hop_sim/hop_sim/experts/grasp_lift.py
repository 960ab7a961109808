"""The scripted expert of Grasp & Lift: take the object, lift it and hold it up."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hop_sim.experts.expert import Expert
from hop_sim.experts.grasp import POWER
from hop_sim.experts.lift_grasps import AROUND, EDGE, OVER, RIM
from hop_sim.experts.motion import Leg, smooth
from hop_sim.tasks.task import SceneView

SHOWN_M = (0.50, 0.0)
"""Where a lifted object is held, x and y in base_link."""
_HOLDING_LEEWAY = 0.5


class LiftExpert(Expert):
    """Lifts; it tries again when the object slipped."""

    grasps: ClassVar = {"can": POWER, "tin": AROUND, "jar": OVER, "pot": RIM, "stand": EDGE}

    def _take_away(self, view: SceneView) -> None:
        """Lift."""
        share = min(1.0, self._phase_s / self.style.lift_s)
        up = np.array([0.0, 0.0, self.lift_m])
        self._move(self._start + up * smooth(share), self._start_rotation)
        if share >= 1.0:
            self._begin(self._bring)

    def _bring(self, view: SceneView) -> None:
        """Bring it over the table's middle, wherever it was taken."""
        goal = np.array([*SHOWN_M, self._start[2]])
        if self._follow([Leg(goal, self._start_rotation)], self.style.speed_m_s) >= 1.0:
            self._begin(self._stay)

    def _stay(self, view: SceneView) -> None:
        """Stay; an object that is not in the hand was lost."""
        self.leeway = _HOLDING_LEEWAY
        if self._is_lost(view):
            self._begin(self._release)
