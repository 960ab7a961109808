"""Grasp & Drop: take the upper of two stacked cubes and put it into a bowl.

`is_dropped` is a pure function of arrays with a leading batch axis B; the twin is B = 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import mujoco
import numpy as np
from pydantic import Field, model_validator

from hop_core.robot_config import TableConfig
from hop_core.robot_model import TIP_SITES
from hop_sim.tasks.bowl import BOWL, Bowl, in_frame
from hop_sim.tasks.contacts import Contacts
from hop_sim.tasks.start import PlaceConfig, Placement, TaskStart, draw_placement
from hop_sim.tasks.task import Monitor, Task, TaskConfig

CUBE, LOWER_CUBE = "cube", "lower_cube"


class GraspDropConfig(TaskConfig):
    """The task's numbers; `config/tasks/grasp_drop.yaml` gives their reasons.

    Attributes:
        rest_speed_m_s: a slower cube is at rest.
        bowl_place: where the bowl starts.
        stack_shift_m, stack_turn_rad: half-widths of the upper cube's uniform offset from the lower
            one, and of its turn against it.
    """

    task: Literal["grasp_drop"]
    rest_speed_m_s: float = Field(gt=0.0)
    bowl_place: PlaceConfig
    stack_shift_m: float = Field(ge=0.0, le=0.01)
    stack_turn_rad: float = Field(ge=0.0, le=0.8)

    @model_validator(mode="after")
    def _complete(self) -> GraspDropConfig:
        missing = {CUBE, LOWER_CUBE, BOWL} - set(self.objects)
        if missing:
            raise ValueError(f"objects lacks {sorted(missing)}")
        lower = self.objects[LOWER_CUBE].shapes
        if len(lower) != 1 or lower[0].type != "box":
            raise ValueError(f"{LOWER_CUBE} must be one box: the other cube stands on it")
        Bowl.of(self.objects[BOWL])
        return self

    @property
    def lower_height_m(self) -> float:
        """Height on which the upper cube stands."""
        return 2.0 * self.objects[LOWER_CUBE].shapes[0].size_m[2]


@dataclass(frozen=True)
class DropState:
    """What success depends on, B episodes.

    Attributes:
        cube_m: (B, 3) the cube's centre in the bowl's frame.
        bowl_up: (B,) z of the bowl's axis, 1 for a bowl that stands.
        speed_m_s: (B,) of the cube.
        tips_m: (B, 4, 3) fingertips in the bowl's frame.
        touched: (B,) whether the robot touches cube or bowl.
    """

    cube_m: np.ndarray
    bowl_up: np.ndarray
    speed_m_s: np.ndarray
    tips_m: np.ndarray
    touched: np.ndarray


BOWL_STANDS = float(np.cos(np.radians(15.0)))
"""A bowl that leans more does not stand; one that tilts on the other cube is no success."""


def is_dropped(state: DropState, config: GraspDropConfig) -> np.ndarray:
    """Return (B,) whether the cube is at rest inside the standing bowl, and the hand is clear.

    Clear: the robot touches neither cube nor bowl, and no fingertip is inside the bowl.
    """
    bowl = Bowl.of(config.objects[BOWL])
    inside = bowl.contains(state.cube_m) & (state.bowl_up >= BOWL_STANDS)
    clear = ~state.touched & ~bowl.contains(state.tips_m).any(axis=1)
    return np.asarray(inside & clear & (state.speed_m_s < config.rest_speed_m_s))


class GraspDrop(Task):
    """The task bound to a table."""

    config: GraspDropConfig

    def __init__(self, config: GraspDropConfig, table: TableConfig) -> None:
        """Keep the numbers."""
        objects = {name: config.objects[name] for name in (CUBE, LOWER_CUBE, BOWL)}
        super().__init__(config, table, objects, choices=(CUBE,))

    def furnish(self, start: TaskStart, rng: np.random.Generator) -> TaskStart:
        """Put the cube on the other one, and the bowl beside them."""
        config, batch = self.config, len(start.q)
        shift = np.zeros((batch, 3))
        shift[:, :2] = rng.uniform(-1.0, 1.0, (batch, 2)) * config.stack_shift_m
        shift[:, 2] = config.lower_height_m
        turn = rng.uniform(-config.stack_turn_rad, config.stack_turn_rad, batch)
        others = {
            LOWER_CUBE: Placement(start.position_m, start.yaw_rad + turn),
            BOWL: draw_placement(config.bowl_place, self.table, batch, rng),
        }
        return replace(start, position_m=start.position_m + shift, others=others)

    def monitor(self, model: mujoco.MjModel, start: TaskStart, index: int = 0) -> DropMonitor:
        """Return the score keeper of episode `index` of `start`."""
        return DropMonitor(self, model, start, index)


class DropMonitor(Monitor):
    """Keeps the score of one episode."""

    def __init__(
        self, task: GraspDrop, model: mujoco.MjModel, start: TaskStart, index: int = 0
    ) -> None:
        """Look up cube and bowl."""
        super().__init__(task, model, start, index)
        self._config = task.config
        self._model = model
        self._near_m = Bowl.of(task.config.objects[BOWL]).radius_m
        self._tips = [model.site(name).id for name in TIP_SITES]
        self._contacts = [Contacts(model, name) for name in (CUBE, BOWL)]

    def read(self, data: mujoco.MjData) -> DropState:
        """Return the present state (B = 1)."""
        bowl = self.view(data).poses[BOWL]
        velocity = np.zeros(6)
        kind = mujoco.mjtObj.mjOBJ_BODY
        mujoco.mj_objectVelocity(self._model, data, kind, self._body, velocity, 0)
        return DropState(
            cube_m=in_frame(bowl, data.xipos[self._body])[None],
            bowl_up=bowl[None, 2, 2],
            speed_m_s=np.linalg.norm(velocity[None, 3:], axis=1),
            tips_m=in_frame(bowl, data.site_xpos[self._tips])[None],
            touched=np.array([any(c.touched_by_robot(data) for c in self._contacts)]),
        )

    def met(self, data: mujoco.MjData) -> bool:
        """Return whether the cube is at rest inside the bowl, and the hand is clear."""
        apart = data.xpos[self._body] - data.xpos[self._bodies[BOWL]]
        if apart @ apart > (2.0 * self._near_m) ** 2:  # mostly: and costs next to nothing
            return False
        return bool(is_dropped(self.read(data), self._config)[0])
