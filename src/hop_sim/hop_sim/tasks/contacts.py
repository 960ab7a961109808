"""Who touches whom, from simulator state."""

from __future__ import annotations

import mujoco
import numpy as np

from hop_core.robot_model import ARM_BIT, HAND_BIT


class Contacts:
    """Contacts of one body of a model.

    Attributes:
        is_hand: (ngeom,) which geoms are the hand's.
        is_robot: (ngeom,) which are the hand's or the arm's.
    """

    def __init__(self, model: mujoco.MjModel, body: str) -> None:
        """Look up the geoms of `body`."""
        self._is_own = model.geom_bodyid == model.body(body).id
        self.is_hand = (model.geom_contype & HAND_BIT) != 0
        self.is_robot = (model.geom_contype & (HAND_BIT | ARM_BIT)) != 0

    def partners(self, data: mujoco.MjData) -> np.ndarray:
        """Return the geoms that touch the body, one entry a contact."""
        contact = data.contact.geom[: data.ncon]
        first, second = self._is_own[contact[:, 0]], self._is_own[contact[:, 1]]
        return np.concatenate([contact[first, 1], contact[second, 0]])

    def held_by_hand_alone(self, data: mujoco.MjData) -> bool:
        """Return whether the body touches the hand, and nothing but the hand."""
        partners = self.partners(data)
        return len(partners) > 0 and bool(np.all(self.is_hand[partners]))

    def touched_by_robot(self, data: mujoco.MjData) -> bool:
        """Return whether hand or arm touches the body."""
        return bool(np.any(self.is_robot[self.partners(data)]))
