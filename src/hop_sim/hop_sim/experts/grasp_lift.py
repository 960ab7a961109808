"""The scripted expert of Grasp & Lift: take the object, lift it and stay."""

from __future__ import annotations

from typing import ClassVar

from hop_sim.experts.expert import Expert
from hop_sim.experts.grasp import POWER
from hop_sim.experts.lift_grasps import AROUND, EDGE, PINCH, RIM
from hop_sim.tasks.task import SceneView


class LiftExpert(Expert):
    """Lifts; it tries again when the object slipped."""

    grasps: ClassVar = {"can": POWER, "tin": AROUND, "block": PINCH, "pot": RIM, "book": EDGE}

    def _after_lift(self, view: SceneView) -> None:
        """Stay; an object that is not in the hand was lost."""
        if self._is_lost(view):
            self._begin(self._release)
