"""What the tests share: a scene of robot, table and cube, twins on a thread, a known hand."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import mujoco
import numpy as np
import pytest

from hop_core.embodiment import load_embodiment
from hop_core.robot_config import load_robot
from hop_core.robot_model import add_actuators, robot_spec
from hop_sim.retarget.engine import Engine
from hop_sim.retarget.settings import RetargetSettings, load_settings
from hop_sim.tracks.resample import Track20
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


@pytest.fixture
def torchrun_pretrain() -> Callable[[list[str]], subprocess.CompletedProcess[str]]:
    """Runs `hop pretrain` in two processes."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]

    def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*torchrun, "-m", "hop_sim.pretrain_cli", *arguments],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    return run


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


@dataclass
class KnownScene:
    """A right hand that reaches for a box, holds it and lifts it; all in the table frame.

    Nothing here comes from the code under test.

    Attributes:
        fps: frames per second.
        keypoints_m: (T, 21, 3).
        T_table_object: (T, 4, 4), origin in the middle of the box.
        vertices: (8, 3) of the box, in its own frame.
        faces: (6, 4) its sides.
    """

    fps: float
    keypoints_m: np.ndarray
    T_table_object: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray


def build_known_scene(frames: int = 66) -> KnownScene:
    """Return the scene: 25 frames of reach, 11 of rest, then the box goes up by 12 cm."""
    palm = np.zeros((21, 3))  # x out of the palm, y to the index finger, z to the fingertips
    palm[0] = [0.0, 0.0, -0.095]
    palm[1:5] = [[0.010, 0.026, -0.070], [0.030, 0.040, -0.045], [0.050, 0.040, -0.020],
                 [0.065, 0.032, 0.0]]  # fmt: skip
    for finger, y in enumerate((0.024, 0.0, -0.021, -0.040)):
        palm[5 + 4 * finger : 9 + 4 * finger] = [
            [0.0, y, 0.0], [0.012, y, 0.036], [0.036, y, 0.046], [0.056, y, 0.038]
        ]  # fmt: skip
    half = np.array([0.03, 0.04, 0.06])
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    time = np.arange(frames) / 30.0
    reach = np.clip(time / (25 / 30), 0.0, 1.0)
    lift = np.clip((time - 36 / 30) / 1.0, 0.0, 1.0)
    reach, lift = (s**3 * (10 - 15 * s + 6 * s**2) for s in (reach, lift))
    up = np.outer(0.12 * lift, [0.0, 0.0, 1.0])
    box_at = np.array([0.05, 0.04, half[2]])
    palm_at = box_at + np.array([-half[0] - 0.062, 0.0, 0.0])
    keypoints, poses = np.empty((frames, 21, 3)), np.tile(np.eye(4), (frames, 1, 1))
    for k in range(frames):
        yaw = 0.8 * (1.0 - reach[k])
        turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        away = (1.0 - reach[k]) * np.array([-0.30, -0.15, 0.12])
        keypoints[k] = palm @ turn.T + palm_at + away + up[k]
        poses[k, :3, 3] = box_at + up[k]
    faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    return KnownScene(30.0, keypoints, poses, signs * half, np.array(faces))


@pytest.fixture(scope="session")
def make_known_scene() -> Callable[[], KnownScene]:
    """Makes the scene, for fixtures that outlive one test."""
    return build_known_scene


@pytest.fixture
def known_scene() -> KnownScene:
    return build_known_scene()


def build_track20() -> Track20:
    """Return a hand that comes from above, holds a box and lifts it by 8 cm; made by hand.

    44 steps of the policy; contact from step 20. Fingers point away from the robot and down.
    """
    scene, frames = build_known_scene(1), 44
    k = np.arange(frames)
    reach, lift = np.clip(k / 20.0, 0.0, 1.0), np.clip((k - 24.0) / 20.0, 0.0, 1.0)
    reach, lift = (s**3 * (10 - 15 * s + 6 * s**2) for s in (reach, lift))
    normal, fingers = np.array([-0.6, 0.0, -0.8]), np.array([0.8, 0.0, -0.6])
    rotation = np.stack([normal, np.cross(fingers, normal), fingers], axis=1)
    yaw = 0.8  # of the known scene's first frame, by which its hand is turned
    back = np.array([[np.cos(yaw), np.sin(yaw), 0], [-np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    hand = (scene.keypoints_m[0] - scene.keypoints_m[0, 9]) @ back.T @ rotation.T
    grasp = np.array([0.0, 0.0, 0.18])
    up = np.outer(0.08 * lift, [0.0, 0.0, 1.0])
    palm = grasp + np.outer(1.0 - reach, [-0.08, 0.05, 0.10]) + up
    T = np.tile(np.eye(4), (frames, 1, 1))
    T[:, :3, :3], T[:, :3, 3] = rotation, grasp + 0.09 * normal + 0.03 * fingers + up
    grid = np.linspace(-1.0, 1.0, 9)
    u, v = (each.ravel() for each in np.meshgrid(grid, grid))
    w = np.ones_like(u)
    sides = [np.roll(np.stack([s * w, u, v], axis=1), i, axis=1) for s in (-1, 1) for i in range(3)]
    return Track20(
        name="reach",
        object_name="box",
        time_s=k / 20.0,
        source_s=k / 20.0,
        time_scale=1.0,
        keypoints_m=hand + palm[:, None],
        T_table_object=T,
        object_points_m=np.concatenate(sides) * np.abs(scene.vertices[0]),
        contact=k >= 20,
    )


@pytest.fixture(scope="session")
def track20() -> Track20:
    return build_track20()


@pytest.fixture(scope="session")
def retarget_settings() -> RetargetSettings:
    """The shipped configurations with 6 attempts, seed 3."""
    return load_settings(6, 3, "lm")


@pytest.fixture(scope="session")
def engine(retarget_settings: RetargetSettings) -> Engine:
    settings = retarget_settings
    return Engine(settings.engine, settings.eq1, settings.safety, settings.solver, threads=1)
