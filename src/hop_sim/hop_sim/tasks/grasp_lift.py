"""Grasp & Lift: pick up the object on the table and keep it up.

Everything here is a pure function of arrays with a leading batch axis B; the twin is B = 1.
`LiftMonitor` reads those arrays from a world and keeps the score of an episode.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from pydantic import Field, model_validator

from hop_core.config import Config
from hop_core.embodiment import ARM, HAND, Embodiment, load_embodiment
from hop_core.robot_config import TableConfig
from hop_core.robot_model import HAND_BIT, TIP_SITES
from hop_sim.scene import PARKING_M, ObjectConfig, build_scene

PARKING_STEP_M = 0.3  # objects out of play stand this far apart


class DemoStartConfig(Config):
    """Where demonstrations start; see `config/tasks/grasp_lift.yaml`."""

    noise_arm_rad: float = Field(ge=0.0, le=0.5)
    noise_hand_rad: float = Field(ge=0.0, le=0.5)
    near: float = Field(ge=0.0, le=1.0)
    after_miss: float = Field(ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _shares(self) -> DemoStartConfig:
        if self.near + self.after_miss > 1.0:
            raise ValueError("near and after_miss are shares: together at most 1")
        return self


class GraspLiftConfig(Config):
    """The task's numbers; see `config/tasks/grasp_lift.yaml` for their meaning and units."""

    task: Literal["grasp_lift"]
    time_limit_s: float = Field(gt=0.0, le=600.0)
    lift_height_m: float = Field(gt=0.0)
    hold_s: float = Field(gt=0.0)
    objects_in_use: tuple[str, ...] = Field(min_length=1)
    center_m: tuple[float, float]
    spread_m: tuple[float, float]
    yaw_rad: float = Field(ge=0.0, le=3.15)
    start_noise_arm_rad: float = Field(ge=0.0, le=0.5)
    start_noise_hand_rad: float = Field(ge=0.0, le=0.5)
    demo_starts: DemoStartConfig
    objects: dict[str, ObjectConfig]

    @model_validator(mode="after")
    def _known(self) -> GraspLiftConfig:
        unknown = set(self.objects_in_use) - set(self.objects)
        if unknown:
            raise ValueError(
                f"objects_in_use names {sorted(unknown)}; objects has {sorted(self.objects)}"
            )
        return self


@dataclass(frozen=True)
class LiftStart:
    """Start states of B episodes.

    Attributes:
        object_index: (B,) which of `objects_in_use` is in play.
        position_m: (B, 3) its footprint's middle in base_link.
        yaw_rad: (B,) its rotation about z.
        q: (B, 23) joint angles [rad].
    """

    object_index: np.ndarray
    position_m: np.ndarray
    yaw_rad: np.ndarray
    q: np.ndarray


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


@dataclass(frozen=True)
class LiftScore:
    """Progress of B episodes.

    Attributes:
        up_s: (B,) how long the object has been up without a break [s].
        success: (B,) bool, whether that was ever enough.
    """

    up_s: np.ndarray
    success: np.ndarray

    @classmethod
    def zero(cls, batch: int) -> LiftScore:
        """Return the score at the start."""
        return cls(np.zeros(batch), np.zeros(batch, dtype=bool))


def sample_starts(
    config: GraspLiftConfig, table: TableConfig, batch: int, rng: np.random.Generator
) -> LiftStart:
    """Draw `batch` start states: object, its place and yaw, and the robot about home."""
    position = draw_places(config, table, batch, rng)
    noise = draw_noise(batch, config.start_noise_arm_rad, config.start_noise_hand_rad, rng)
    embodiment = load_embodiment()
    return LiftStart(
        object_index=rng.integers(len(config.objects_in_use), size=batch),
        position_m=position,
        yaw_rad=rng.uniform(-config.yaw_rad, config.yaw_rad, batch),
        q=embodiment.clip(embodiment.home + noise),
    )


def draw_places(
    config: GraspLiftConfig, table: TableConfig, batch: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw (batch, 3) places of an object's foot on the table [m]."""
    offset = rng.uniform(-1.0, 1.0, (batch, 2)) * config.spread_m
    height = np.full((batch, 1), table.center_m[2])
    return np.concatenate([config.center_m + offset, height], axis=1)


def draw_noise(batch: int, arm_rad: float, hand_rad: float, rng: np.random.Generator) -> np.ndarray:
    """Draw (batch, 23) joint angles about zero [rad], uniform in half-widths."""
    half_width = np.empty(23)
    half_width[ARM], half_width[HAND] = arm_rad, hand_rad
    return rng.uniform(-1.0, 1.0, (batch, 23)) * half_width


def advance_score(
    score: LiftScore, state: LiftState, config: GraspLiftConfig, dt_s: float
) -> LiftScore:
    """Return the score `dt_s` later: success is `hold_s` of being up and held without a break."""
    up = (state.rise_m >= config.lift_height_m) & state.held
    up_s = np.where(up, score.up_s + dt_s, 0.0)
    return LiftScore(up_s, score.success | (up_s >= config.hold_s - 1e-9))


def reward(before: LiftState, after: LiftState, config: GraspLiftConfig) -> np.ndarray:
    """Return the (B,) shaped reward of one step.

    Its terms are fingertips that near the object, its rise, its being held up, and slow joints.

    Source: terms and weights follow the HOP release's Grasp & Lift; rise is bounded by 0.5 m as
    there.
    """
    nearing = np.sum(np.maximum(0.0, before.tip_distance_m - after.tip_distance_m), axis=1)
    up = (after.rise_m >= config.lift_height_m) & after.held
    speed = 0.003 * np.abs(after.qd[:, ARM]).sum(axis=1) + 0.0003 * np.abs(after.qd[:, HAND]).sum(
        axis=1
    )
    return np.asarray(
        50.0 * nearing * ~up + 20.0 * np.clip(after.rise_m, 0.0, 0.5) + 20.0 * up - speed
    )


class GraspLift:
    """The task bound to a table: builds the scene and places its objects."""

    def __init__(self, config: GraspLiftConfig, table: TableConfig) -> None:
        """Keep the numbers."""
        self.config = config
        self.table = table
        self.objects = {name: config.objects[name] for name in config.objects_in_use}

    def build_model(self, embodiment: Embodiment | None = None) -> mujoco.MjModel:
        """Return the compiled scene with the objects in use."""
        return build_scene(self.objects, self.table, embodiment)

    def sample(self, rng: np.random.Generator, batch: int = 1) -> LiftStart:
        """Draw `batch` start states of evaluation."""
        return sample_starts(self.config, self.table, batch, rng)

    def arrange(
        self, start: LiftStart, index: int = 0
    ) -> Callable[[mujoco.MjModel, mujoco.MjData], None]:
        """Return a function that puts the objects of episode `index` in place by writing qpos."""

        def place(model: mujoco.MjModel, data: mujoco.MjData) -> None:
            for i, name in enumerate(self.objects):
                address = model.joint(name).qposadr[0]
                in_play = i == start.object_index[index]
                parked = PARKING_M + np.array([0.0, PARKING_STEP_M * i, 0.0])
                half_yaw = start.yaw_rad[index] / 2 if in_play else 0.0
                data.qpos[address : address + 3] = start.position_m[index] if in_play else parked
                data.qpos[address + 3 : address + 7] = [
                    np.cos(half_yaw),
                    0.0,
                    0.0,
                    np.sin(half_yaw),
                ]

        return place

    def monitor(self, model: mujoco.MjModel, start: LiftStart, index: int = 0) -> LiftMonitor:
        """Return the score keeper of episode `index` of `start`."""
        return LiftMonitor(self, model, start, index)


class LiftMonitor:
    """Keeps the score of one episode from simulator state, outside the policy's process.

    Attributes:
        object_name: the object in play.
        score: progress so far (B = 1).
        time_s: time since the start.
    """

    def __init__(
        self, task: GraspLift, model: mujoco.MjModel, start: LiftStart, index: int = 0
    ) -> None:
        """Look up the object in play."""
        self._task = task
        self.object_name = list(task.objects)[int(start.object_index[index])]
        self._body = model.body(self.object_name).id
        self._rest_m = float(start.position_m[index, 2])
        self._tips = [model.site(name).id for name in TIP_SITES]
        self._is_object = model.geom_bodyid == self._body
        self._is_hand = (model.geom_contype & HAND_BIT) != 0
        self.score = LiftScore.zero(1)
        self.time_s = 0.0

    def read(self, data: mujoco.MjData) -> LiftState:
        """Return the present state (B = 1)."""
        contact = data.contact.geom[: data.ncon]
        first, second = self._is_object[contact[:, 0]], self._is_object[contact[:, 1]]
        partner = np.concatenate([contact[first, 1], contact[second, 0]])
        held = len(partner) > 0 and bool(np.all(self._is_hand[partner]))
        centre = data.xipos[self._body]
        return LiftState(
            rise_m=np.array([data.xpos[self._body, 2] - self._rest_m]),
            held=np.array([held]),
            tip_distance_m=np.linalg.norm(data.site_xpos[self._tips] - centre, axis=1)[None],
            qd=data.qvel[None, :23].copy(),
        )

    def update(self, data: mujoco.MjData, dt_s: float) -> bool:
        """Advance the score by `dt_s`; return whether the episode has succeeded."""
        self.time_s += dt_s
        # Each 3 ms: an object that is low, and was, changes nothing, and costs next to nothing.
        low = data.xpos[self._body, 2] - self._rest_m < self._task.config.lift_height_m
        if not low or self.score.up_s[0] > 0.0:
            self.score = advance_score(self.score, self.read(data), self._task.config, dt_s)
        return bool(self.score.success[0])

    @property
    def timed_out(self) -> bool:
        """Whether the time limit has passed without success."""
        return self.time_s >= self._task.config.time_limit_s and not self.score.success[0]

    def object_pose(self, data: mujoco.MjData) -> np.ndarray:
        """Return T_base_object (4, 4) [m]; the origin is the middle of the footprint at rest."""
        pose = np.eye(4)
        pose[:3, :3] = data.xmat[self._body].reshape(3, 3)
        pose[:3, 3] = data.xpos[self._body]
        return pose
