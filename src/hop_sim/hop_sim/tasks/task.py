"""What every task is: a scene, start states drawn from a seed, and a judge of success.

A task's own module adds its numbers, a pure function of arrays with a leading batch axis B that
says when its conditions are met, and a monitor that reads those arrays from a world.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np
from pydantic import Field

from hop_core.config import Config
from hop_core.embodiment import Embodiment, load_embodiment
from hop_core.errors import TwinError
from hop_core.robot_config import TableConfig
from hop_sim.disturbance import DisturbanceConfig
from hop_sim.scene import PARKING_M, ObjectConfig, build_scene
from hop_sim.tasks.score import Score, advance_score
from hop_sim.tasks.start import DemoStartConfig, PlaceConfig, TaskStart, draw_noise, draw_places

PARKING_STEP_M = 0.3  # objects out of play stand this far apart


class TaskConfig(Config):
    """The numbers that every task has; `config/tasks/*.yaml` say what they mean.

    Attributes:
        task: its name.
        time_limit_s: an episode without success ends here.
        hold_s: the conditions of success must be met so long without a break.
        place: where the object in play starts.
        start_noise_arm_rad, start_noise_hand_rad: half-widths of the uniform start about home.
        demo_starts: where demonstrations start.
        demo_disturbance: how the arm strays in demonstrations.
        objects: what may stand on the table.
    """

    task: str
    time_limit_s: float = Field(gt=0.0, le=600.0)
    hold_s: float = Field(gt=0.0)
    place: PlaceConfig
    start_noise_arm_rad: float = Field(ge=0.0, le=0.5)
    start_noise_hand_rad: float = Field(ge=0.0, le=0.5)
    demo_starts: DemoStartConfig
    demo_disturbance: DisturbanceConfig
    objects: dict[str, ObjectConfig]


@dataclass(frozen=True)
class SceneView:
    """True poses of what is in play, which an expert sees and a policy never does.

    Attributes:
        object_name: the object that the task is about.
        poses: T_base_object (4, 4) [m] by name; an origin is the middle of the footprint at rest.
    """

    object_name: str
    poses: dict[str, np.ndarray]

    @property
    def T_base_object(self) -> np.ndarray:
        """(4, 4) pose of the object that the task is about."""
        return self.poses[self.object_name]


class Task(ABC):
    """A task bound to a table: builds the scene and places its objects.

    Attributes:
        config: the task's numbers.
        table: where its objects stand.
        objects: what the scene has, by name.
        choices: names of those that can be the object in play: the one that is to be moved, whose
            cloud a point-cloud policy sees.
    """

    config: TaskConfig

    def __init__(
        self,
        config: TaskConfig,
        table: TableConfig,
        objects: dict[str, ObjectConfig],
        choices: tuple[str, ...],
    ) -> None:
        """Keep the numbers."""
        self.config = config
        self.table = table
        self.objects = objects
        self.choices = choices

    def build_model(self, embodiment: Embodiment | None = None) -> mujoco.MjModel:
        """Return the compiled scene."""
        return build_scene(self.objects, self.table, embodiment)

    def sample(self, rng: np.random.Generator, batch: int = 1) -> TaskStart:
        """Draw `batch` start states of evaluation."""
        config, embodiment = self.config, load_embodiment()
        position = draw_places(config.place, self.table, batch, rng)
        noise = draw_noise(batch, config.start_noise_arm_rad, config.start_noise_hand_rad, rng)
        start = TaskStart(
            object_index=rng.integers(len(self.choices), size=batch),
            position_m=position,
            yaw_rad=rng.uniform(-config.place.yaw_rad, config.place.yaw_rad, batch),
            q=embodiment.clip(embodiment.home + noise),
        )
        return self.furnish(start, rng)

    def furnish(self, start: TaskStart, rng: np.random.Generator) -> TaskStart:
        """Return `start` with everything else that the scene needs; by default nothing."""
        return start

    def choose(self, start: TaskStart, name: str) -> TaskStart:
        """Return `start` with the object `name` in play.

        Raises:
            TwinError: the task has no such choice.
        """
        if name not in self.choices:
            raise TwinError(
                f"the task has no object '{name}' to be in play; objects: {', '.join(self.choices)}"
            )
        index = np.full_like(start.object_index, self.choices.index(name))
        return TaskStart(index, start.position_m, start.yaw_rad, start.q, start.others)

    def arrange(
        self, start: TaskStart, index: int = 0
    ) -> Callable[[mujoco.MjModel, mujoco.MjData], None]:
        """Return a function that puts the objects of episode `index` in place by writing qpos."""
        stands = {name: (p.position_m, p.yaw_rad) for name, p in start.others.items()}
        stands[self.choices[int(start.object_index[index])]] = start.position_m, start.yaw_rad

        def place(model: mujoco.MjModel, data: mujoco.MjData) -> None:
            for i, name in enumerate(self.objects):
                address = model.joint(name).qposadr[0]
                position, half_yaw = PARKING_M + np.array([0.0, PARKING_STEP_M * i, 0.0]), 0.0
                if name in stands:
                    position, half_yaw = stands[name][0][index], stands[name][1][index] / 2
                turn = [np.cos(half_yaw), 0.0, 0.0, np.sin(half_yaw)]
                data.qpos[address : address + 7] = [*position, *turn]

        return place

    @abstractmethod
    def monitor(self, model: mujoco.MjModel, start: TaskStart, index: int = 0) -> Monitor:
        """Return the score keeper of episode `index` of `start`."""


class Monitor(ABC):
    """Keeps the score of one episode from simulator state, outside the policy's process.

    Attributes:
        object_name: the object in play.
        score: progress so far (B = 1).
        time_s: time since the start.
    """

    def __init__(self, task: Task, model: mujoco.MjModel, start: TaskStart, index: int = 0) -> None:
        """Look up what is in play."""
        self._limits = task.config
        self.object_name = task.choices[int(start.object_index[index])]
        self._bodies = {name: model.body(name).id for name in (self.object_name, *start.others)}
        self._body = self._bodies[self.object_name]
        self._rest_m = float(start.position_m[index, 2])
        self.score = Score.zero(1)
        self.time_s = 0.0

    @abstractmethod
    def met(self, data: mujoco.MjData) -> bool:
        """Return whether the conditions of success are met now; asked every 3 ms, so be quick."""

    def update(self, data: mujoco.MjData, dt_s: float) -> bool:
        """Advance the score by `dt_s`; return whether the episode has succeeded."""
        self.time_s += dt_s
        met = self.met(data)
        if met or self.score.met_s[0] > 0.0:
            self.score = advance_score(self.score, np.array([met]), self._limits.hold_s, dt_s)
        return bool(self.score.success[0])

    @property
    def timed_out(self) -> bool:
        """Whether the time limit has passed without success."""
        return self.time_s >= self._limits.time_limit_s and not self.score.success[0]

    def rise_m(self, data: mujoco.MjData) -> float:
        """Return the height of the object in play above where it stood [m]."""
        return float(data.xpos[self._body, 2] - self._rest_m)

    def view(self, data: mujoco.MjData) -> SceneView:
        """Return the true poses of what is in play."""
        return SceneView(
            self.object_name, {name: _pose(data, body) for name, body in self._bodies.items()}
        )

    def object_pose(self, data: mujoco.MjData) -> np.ndarray:
        """Return T_base_object (4, 4) [m]; the origin is the middle of the footprint at rest."""
        return _pose(data, self._body)


def _pose(data: mujoco.MjData, body: int) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = data.xmat[body].reshape(3, 3)
    pose[:3, 3] = data.xpos[body]
    return pose
