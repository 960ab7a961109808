"""Grasp & Lift: pick up the object on the table and keep it up.

`is_lifted` and `reward` are pure functions of arrays with a leading batch axis B; the twin is
B = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from pydantic import Field, model_validator

from hop_core.embodiment import ARM, HAND
from hop_core.robot_config import TableConfig
from hop_core.robot_model import TIP_SITES
from hop_sim.tasks.contacts import Contacts
from hop_sim.tasks.start import TaskStart
from hop_sim.tasks.task import Monitor, Task, TaskConfig


class GraspLiftConfig(TaskConfig):
    """The task's numbers; see `config/tasks/grasp_lift*.yaml` for their meaning and units."""

    task: Literal["grasp_lift", "grasp_lift_can"]
    lift_height_m: float = Field(gt=0.0)
    objects_in_use: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _known(self) -> GraspLiftConfig:
        unknown = set(self.objects_in_use) - set(self.objects)
        if unknown:
            raise ValueError(
                f"objects_in_use names {sorted(unknown)}; objects has {sorted(self.objects)}"
            )
        return self


@dataclass(frozen=True)
class LiftState:
    """What success and reward depend on, B episodes.

    Attributes:
        rise_m: (B,) height of the object above where it stood.
        held: (B,) whether it touches the hand, and nothing but the hand.
        tip_distance_m: (B, 4) distance of each fingertip to the object's centre.
        qd: (B, 23) joint speeds [rad/s].
    """

    rise_m: np.ndarray
    held: np.ndarray
    tip_distance_m: np.ndarray
    qd: np.ndarray


def is_lifted(state: LiftState, config: GraspLiftConfig) -> np.ndarray:
    """Return (B,) whether the object is up, in the hand alone."""
    return np.asarray((state.rise_m >= config.lift_height_m) & state.held)


def reward(before: LiftState, after: LiftState, config: GraspLiftConfig) -> np.ndarray:
    """Return the (B,) shaped reward of one step.

    Its terms are fingertips that near the object, its rise, its being held up, and slow joints.

    Source: terms and weights follow the HOP release's Grasp & Lift; rise is bounded by 0.5 m as
    there.
    """
    nearing = np.sum(np.maximum(0.0, before.tip_distance_m - after.tip_distance_m), axis=1)
    up = is_lifted(after, config)
    speed = 0.003 * np.abs(after.qd[:, ARM]).sum(axis=1) + 0.0003 * np.abs(after.qd[:, HAND]).sum(
        axis=1
    )
    return np.asarray(
        50.0 * nearing * ~up + 20.0 * np.clip(after.rise_m, 0.0, 0.5) + 20.0 * up - speed
    )


class GraspLift(Task):
    """The task bound to a table; one of the objects in use is in play, the others are away."""

    config: GraspLiftConfig

    def __init__(self, config: GraspLiftConfig, table: TableConfig) -> None:
        """Keep the numbers."""
        objects = {name: config.objects[name] for name in config.objects_in_use}
        super().__init__(config, table, objects, choices=config.objects_in_use)

    def monitor(self, model: mujoco.MjModel, start: TaskStart, index: int = 0) -> LiftMonitor:
        """Return the score keeper of episode `index` of `start`."""
        return LiftMonitor(self, model, start, index)


class LiftMonitor(Monitor):
    """Keeps the score of one episode."""

    def __init__(
        self, task: GraspLift, model: mujoco.MjModel, start: TaskStart, index: int = 0
    ) -> None:
        """Look up the object in play."""
        super().__init__(task, model, start, index)
        self._config = task.config
        self._tips = [model.site(name).id for name in TIP_SITES]
        self._contacts = Contacts(model, self.object_name)

    def read(self, data: mujoco.MjData) -> LiftState:
        """Return the present state (B = 1)."""
        centre = data.xipos[self._body]
        return LiftState(
            rise_m=np.array([self.rise_m(data)]),
            held=np.array([self._contacts.held_by_hand_alone(data)]),
            tip_distance_m=np.linalg.norm(data.site_xpos[self._tips] - centre, axis=1)[None],
            qd=data.qvel[None, :23].copy(),
        )

    def met(self, data: mujoco.MjData) -> bool:
        """Return whether the object is up, in the hand alone."""
        if self.rise_m(data) < self._config.lift_height_m:  # mostly: and costs next to nothing
            return False
        return bool(is_lifted(self.read(data), self._config)[0])
