"""What the twin's tests share: a scene of the robot, a table and a free cube."""

from __future__ import annotations

import mujoco

from hop_core.embodiment import load_embodiment
from hop_core.robot_model import add_actuators, robot_spec


def table_scene() -> mujoco.MjModel:
    """Return the robot before a table (top at z = 0) with a 6 cm cube on it; 1 ms steps."""
    embodiment = load_embodiment()
    spec = robot_spec(embodiment)
    add_actuators(spec, embodiment)
    spec.option.timestep = embodiment.rates.physics_period_s
    world = spec.worldbody
    world.add_geom(
        name="table", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.35, 0.5, 0.02], pos=[0.55, 0.0, -0.02], contype=1, conaffinity=1
    )
    cube = world.add_body(name="cube", pos=[0.5, 0.2, 0.03])
    cube.add_freejoint()
    cube.add_geom(name="cube", type=mujoco.mjtGeom.mjGEOM_BOX, size=[0.03, 0.03, 0.03], mass=0.1)
    return spec.compile()
