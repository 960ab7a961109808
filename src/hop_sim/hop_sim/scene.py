"""The scene: robot, table, floor and the objects of a task, compiled into one MuJoCo model."""

from __future__ import annotations

from typing import Literal

import mujoco
import numpy as np
from pydantic import Field, model_validator

from hop_core.config import Config
from hop_core.embodiment import Embodiment, load_embodiment
from hop_core.robot_config import TableConfig, Vector3
from hop_core.robot_model import (
    ARM_BIT,
    HAND_BIT,
    OBJECT_BIT,
    STATIC_BIT,
    add_actuators,
    robot_spec,
)

FLOOR_M = -0.75
TABLE_THICKNESS_M = 0.04
DRAWN_M = (0.01, 6.0)
"""Nearest and farthest that a rendered image shows."""
PARKING_M = np.array([-1.5, 0.0, FLOOR_M])
_TYPES = {
    "box": mujoco.mjtGeom.mjGEOM_BOX,
    "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
    "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
}


class ShapeConfig(Config):
    """One convex piece of an object.

    Attributes:
        type: box (half sizes x, y, z), cylinder (radius, half height) or sphere (radius).
        size_m: these sizes.
        position_m, yaw_rad: in the object's frame, whose origin is the middle of its footprint at
            rest.
    """

    type: Literal["box", "cylinder", "sphere"]
    size_m: tuple[float, ...] = Field(min_length=1, max_length=3)
    position_m: Vector3 = (0.0, 0.0, 0.0)
    yaw_rad: float = 0.0

    @model_validator(mode="after")
    def _complete(self) -> ShapeConfig:
        needed = {"box": 3, "cylinder": 2, "sphere": 1}[self.type]
        if len(self.size_m) != needed or min(self.size_m) <= 0:
            raise ValueError(
                f"a {self.type} needs {needed} positive sizes, got {list(self.size_m)}"
            )
        return self


class WallConfig(Config):
    """A round wall of upright staves: hollow, which one convex piece cannot be.

    Attributes:
        inner_radius_m: of the largest cylinder inside.
        thickness_m: of the staves.
        from_m, to_m: heights of the lower and the upper rim, in the object's frame.
        staves: how many.
    """

    inner_radius_m: float = Field(gt=0.0)
    thickness_m: float = Field(gt=0.0)
    from_m: float = Field(ge=0.0)
    to_m: float = Field(gt=0.0)
    staves: int = Field(ge=6, le=64)

    @model_validator(mode="after")
    def _upright(self) -> WallConfig:
        if self.to_m <= self.from_m:
            raise ValueError(f"a wall needs from_m < to_m, got {self.from_m} and {self.to_m}")
        return self

    @property
    def shapes(self) -> tuple[ShapeConfig, ...]:
        """The staves; neighbours meet at their outer edges."""
        middle_m = self.inner_radius_m + self.thickness_m / 2
        half_width_m = (self.inner_radius_m + self.thickness_m) * np.tan(np.pi / self.staves)
        size_m = (self.thickness_m / 2, half_width_m, (self.to_m - self.from_m) / 2)
        turns = 2.0 * np.pi * np.arange(self.staves) / self.staves
        return tuple(
            ShapeConfig(
                type="box",
                size_m=size_m,
                position_m=(
                    middle_m * np.cos(turn),
                    middle_m * np.sin(turn),
                    (self.from_m + self.to_m) / 2,
                ),
                yaw_rad=turn,
            )
            for turn in turns
        )


class ObjectConfig(Config):
    """A free object.

    Attributes:
        mass_kg: spread over its pieces by volume.
        friction: sliding friction on table and arm, which have 0.8 themselves, and the greater of
            two counts; fingertips have 1.0.
        shapes: its convex pieces.
        wall: makes it hollow.
    """

    mass_kg: float = Field(gt=0.0, le=2.0)
    friction: float = Field(0.8, ge=0.8, le=1.0)
    shapes: tuple[ShapeConfig, ...] = Field(min_length=1)
    wall: WallConfig | None = None

    @property
    def pieces(self) -> tuple[ShapeConfig, ...]:
        """All convex pieces, those of the wall last."""
        return self.shapes if self.wall is None else (*self.shapes, *self.wall.shapes)


def build_scene(
    objects: dict[str, ObjectConfig], table: TableConfig, embodiment: Embodiment | None = None
) -> mujoco.MjModel:
    """Return the compiled scene: robot at the origin, table, floor, one free body an object.

    Bodies are named as the objects; their free joints follow the robot's 23 joints in qpos.
    Nothing helps the robot: no weld, mocap body or adhesion.
    """
    embodiment = embodiment or load_embodiment()
    spec = robot_spec(embodiment)
    add_actuators(spec, embodiment)
    spec.modelname = "hop_scene"
    spec.option.timestep = embodiment.rates.physics_period_s
    spec.visual.quality.offsamples = 0  # multisampling would blur the edges of depth
    spec.visual.quality.shadowsize = 0
    spec.visual.map.znear, spec.visual.map.zfar = DRAWN_M
    spec.stat.extent = 1.0
    _add_static(spec, table)
    for name, config in objects.items():
        _add_object(spec, name, config)
    return spec.compile()


def _add_static(spec: mujoco.MjSpec, table: TableConfig) -> None:
    static = {"contype": STATIC_BIT, "conaffinity": OBJECT_BIT | ARM_BIT | HAND_BIT}
    x, y, z = table.center_m
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[x, y, z - TABLE_THICKNESS_M / 2],
        size=[table.size_m[0] / 2, table.size_m[1] / 2, TABLE_THICKNESS_M / 2],
        friction=[0.8, 0.005, 0.0001],
        rgba=[0.62, 0.5, 0.38, 1.0],
        **static,
    )
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[0.0, 0.0, FLOOR_M],
        size=[3.0, 3.0, 0.1],
        rgba=[0.5, 0.52, 0.55, 1.0],
        **static,
    )
    spec.worldbody.add_light(pos=[0.3, -0.8, 1.8], dir=[0.1, 0.4, -1.0])


def _add_object(spec: mujoco.MjSpec, name: str, config: ObjectConfig) -> None:
    body = spec.worldbody.add_body(name=name, pos=PARKING_M)
    body.add_freejoint(name=name)
    volume = sum(_volume(shape) for shape in config.pieces)
    for i, shape in enumerate(config.pieces):
        body.add_geom(
            name=f"{name}_{i}",
            type=_TYPES[shape.type],
            size=[*shape.size_m, *[0.0] * (3 - len(shape.size_m))],
            pos=shape.position_m,
            quat=[np.cos(shape.yaw_rad / 2), 0.0, 0.0, np.sin(shape.yaw_rad / 2)],
            mass=config.mass_kg * _volume(shape) / volume,
            contype=OBJECT_BIT,
            conaffinity=STATIC_BIT | OBJECT_BIT | ARM_BIT | HAND_BIT,
            condim=4,
            friction=[config.friction, 0.005, 0.0001],
            rgba=[0.8, 0.25, 0.2, 1.0],
        )


def _volume(shape: ShapeConfig) -> float:
    size = shape.size_m
    if shape.type == "box":
        return 8.0 * size[0] * size[1] * size[2]
    if shape.type == "cylinder":
        return 2.0 * np.pi * size[0] ** 2 * size[1]
    return 4.0 / 3.0 * np.pi * size[0] ** 3
