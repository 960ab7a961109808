"""Grasp & Pour: take the bottle and point its mouth at the bowl.

`is_poured` is a pure function of arrays with a leading batch axis B; the twin is B = 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import mujoco
import numpy as np
from pydantic import Field, model_validator

from hop_core.robot_config import TableConfig, Vector3
from hop_sim.tasks.bowl import BOWL, Bowl, in_frame
from hop_sim.tasks.contacts import Contacts
from hop_sim.tasks.start import PlaceConfig, TaskStart, draw_placement
from hop_sim.tasks.task import Monitor, Task, TaskConfig

BOTTLE = "bottle"


class GraspPourConfig(TaskConfig):
    """The task's numbers; `config/tasks/grasp_pour.yaml` gives their reasons.

    Attributes:
        tilt_rad: least angle of the bottle's axis from the vertical.
        mouth_m: middle of the mouth in the bottle's frame, whose z is its axis.
        mouth_distance_m: farthest that the mouth may be from the bowl's axis.
        bowl_moved_m: the bowl must have moved less.
        bowl_place: where the bowl starts.
    """

    task: Literal["grasp_pour"]
    tilt_rad: float = Field(gt=0.0, lt=3.14)
    mouth_m: Vector3
    mouth_distance_m: float = Field(gt=0.0)
    bowl_moved_m: float = Field(gt=0.0)
    bowl_place: PlaceConfig

    @model_validator(mode="after")
    def _complete(self) -> GraspPourConfig:
        missing = {BOTTLE, BOWL} - set(self.objects)
        if missing:
            raise ValueError(f"objects lacks {sorted(missing)}")
        Bowl.of(self.objects[BOWL])
        return self


@dataclass(frozen=True)
class PourState:
    """What success depends on, B episodes.

    Attributes:
        tilt_rad: (B,) angle of the bottle's axis from the vertical.
        mouth_m: (B, 3) the bottle's mouth in the bowl's frame.
        held: (B,) whether the bottle touches the hand, and nothing but the hand.
        bowl_moved_m: (B,) distance of the bowl from where it stood.
    """

    tilt_rad: np.ndarray
    mouth_m: np.ndarray
    held: np.ndarray
    bowl_moved_m: np.ndarray


def is_poured(state: PourState, config: GraspPourConfig) -> np.ndarray:
    """Return (B,) whether the held bottle is tilted, its mouth over a bowl that stayed."""
    bowl = Bowl.of(config.objects[BOWL])
    over = bowl.axis_distance_m(state.mouth_m) <= config.mouth_distance_m
    above = state.mouth_m[:, 2] > bowl.rim_m
    stayed = state.bowl_moved_m < config.bowl_moved_m
    return np.asarray((state.tilt_rad >= config.tilt_rad) & over & above & state.held & stayed)


class GraspPour(Task):
    """The task bound to a table."""

    config: GraspPourConfig

    def __init__(self, config: GraspPourConfig, table: TableConfig) -> None:
        """Keep the numbers."""
        objects = {name: config.objects[name] for name in (BOTTLE, BOWL)}
        super().__init__(config, table, objects, choices=(BOTTLE,))

    def furnish(self, start: TaskStart, rng: np.random.Generator) -> TaskStart:
        """Put the bowl beside the bottle."""
        bowl = draw_placement(self.config.bowl_place, self.table, len(start.q), rng)
        return replace(start, others={BOWL: bowl})

    def monitor(self, model: mujoco.MjModel, start: TaskStart, index: int = 0) -> PourMonitor:
        """Return the score keeper of episode `index` of `start`."""
        return PourMonitor(self, model, start, index)


class PourMonitor(Monitor):
    """Keeps the score of one episode."""

    def __init__(
        self, task: GraspPour, model: mujoco.MjModel, start: TaskStart, index: int = 0
    ) -> None:
        """Look up bottle and bowl."""
        super().__init__(task, model, start, index)
        self._config = task.config
        self._upright = float(np.cos(task.config.tilt_rad))
        self._contacts = Contacts(model, BOTTLE)
        self._bowl_start_m = start.others[BOWL].position_m[index]

    def read(self, data: mujoco.MjData) -> PourState:
        """Return the present state (B = 1)."""
        poses = self.view(data).poses
        bottle, bowl = poses[BOTTLE], poses[BOWL]
        mouth = bottle[:3, :3] @ self._config.mouth_m + bottle[:3, 3]
        return PourState(
            tilt_rad=np.arccos(np.clip(bottle[None, 2, 2], -1.0, 1.0)),
            mouth_m=in_frame(bowl, mouth)[None],
            held=np.array([self._contacts.held_by_hand_alone(data)]),
            bowl_moved_m=np.linalg.norm(bowl[None, :3, 3] - self._bowl_start_m, axis=1),
        )

    def met(self, data: mujoco.MjData) -> bool:
        """Return whether the held bottle is tilted, its mouth over the bowl."""
        up = data.xmat[self._body, 8]  # z of the bottle's axis
        if up > self._upright + 1e-6:  # mostly: and costs next to nothing
            return False
        return bool(is_poured(self.read(data), self._config)[0])
