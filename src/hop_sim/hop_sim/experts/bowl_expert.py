"""What the experts share that bring an object to a bowl."""

from __future__ import annotations

import numpy as np

from hop_sim.experts.expert import Expert
from hop_sim.experts.motion import Leg
from hop_sim.tasks.task import SceneView

BOWL_LEEWAY = 0.5
"""At the bowl; within 3 cm all is well there."""
_ASIDE_M = 0.02  # half-width of how far beside the bowl's axis the way turns
_LEEWAY_STEP = 0.15  # a tick: the arm does not jump to its label and back


class BowlExpert(Expert):
    """Carries to the bowl by a point a little aside and corrects; it tries again.

    Its arm has leeway at the bowl, too: how a hand comes back that is beside it is to be shown.
    """

    def act(self, view: SceneView) -> np.ndarray:
        """Return the next target (23,) [rad]; leeway comes and goes gradually."""
        before = self.leeway
        target = super().act(view)
        self.leeway = before + float(np.clip(self.leeway - before, -_LEEWAY_STEP, _LEEWAY_STEP))
        return target

    def _draw_more(self, rng: np.random.Generator) -> None:
        self._carry_m_s = rng.uniform(0.15, 0.25)
        self._aside_m = np.array([*rng.uniform(-_ASIDE_M, _ASIDE_M, 2), 0.0])

    def _up(self) -> Leg:
        """Return the first leg of a way with the object."""
        return Leg(self._start + np.array([0.0, 0.0, self.lift_m]), self._start_rotation)

    def _grip(self, view: SceneView) -> np.ndarray:
        """Return where the object is gripped (3,) [m], however it lies."""
        return self._carried_grip(view)

    def _lost(self, view: SceneView) -> bool:
        """Return whether the object has slipped out of the hand; if so, begin anew."""
        lost = self._is_lost(view)
        if lost:
            self._begin(self._release)
        return lost
