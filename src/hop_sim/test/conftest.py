"""What the twin's tests share: a scene of robot, table and cube, and twins on a thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import mujoco
import pytest

from hop_core.embodiment import load_embodiment
from hop_core.robot_config import load_robot
from hop_core.robot_model import add_actuators, robot_spec
from hop_sim.twin import Twin


def build_table_scene() -> mujoco.MjModel:
    """Return the robot before a table (top at z = 0) with a 6 cm cube on it; 1 ms steps."""
    embodiment = load_embodiment()
    spec = robot_spec(embodiment)
    add_actuators(spec, embodiment)
    spec.option.timestep = embodiment.rates.physics_period_s
    spec.stat.extent = 1.0
    spec.visual.map.zfar = 6.0
    box = mujoco.mjtGeom.mjGEOM_BOX
    spec.worldbody.add_geom(name="table", type=box, size=[0.35, 0.5, 0.02], pos=[0.55, 0.0, -0.02])
    cube = spec.worldbody.add_body(name="cube", pos=[0.5, 0.2, 0.03])
    cube.add_freejoint(name="cube")
    cube.add_geom(name="cube", type=box, size=[0.03, 0.03, 0.03], mass=0.1, conaffinity=15)
    return spec.compile()


@pytest.fixture(scope="session")
def table_scene() -> mujoco.MjModel:
    return build_table_scene()


@contextmanager
def twin_on(address: str) -> Iterator[Twin]:
    """Run a twin of grasp_lift on a thread, on its own loopback address."""
    twin = Twin(load_robot("twin"), "grasp_lift", address=address)
    thread = threading.Thread(target=twin.run, name="twin")
    thread.start()
    try:
        yield twin
    finally:
        twin.stop()
        thread.join(30.0)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def running_twin(request: pytest.FixtureRequest) -> Iterator[Twin]:
    """A twin for one test module, at the module's ADDRESS."""
    with twin_on(request.module.ADDRESS) as twin:
        yield twin
