"""Grasp & Drop: each part of the success predicate on a near miss, and the monitor in the scene."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from hop_core.config import validate
from hop_core.embodiment import load_embodiment
from hop_core.errors import ConfigError
from hop_core.robot_config import load_robot
from hop_sim.tasks.grasp_drop import DropState, GraspDropConfig, is_dropped
from hop_sim.tasks.registry import load_task
from hop_sim.tasks.score import Score, advance_score
from hop_sim.world import World

TASK = load_task("grasp_drop", load_robot("twin").table)
CONFIG = TASK.config
TIPS_AWAY = np.full((1, 4, 3), 0.15)
DONE = DropState(
    cube_m=np.array([[0.01, 0.0, 0.033]]),
    bowl_up=np.array([1.0]),
    speed_m_s=np.array([0.0]),
    tips_m=TIPS_AWAY,
    touched=np.array([False]),
)


def test_a_cube_at_rest_in_the_bowl_is_success() -> None:
    assert is_dropped(DONE, CONFIG)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"cube_m": np.array([[0.072, 0.0, 0.06]])},  # on the rim
        {"cube_m": np.array([[0.0, 0.0, 0.0551]])},  # still above it
        {"cube_m": np.array([[0.11, 0.0, 0.025]])},  # on the table, against the bowl's outside
        {"speed_m_s": np.array([0.0101])},  # in the bowl, but moving
        {"touched": np.array([True])},  # the hand holds cube or bowl
        {"tips_m": np.where(np.arange(4)[:, None] == 3, [0.05, 0.0, 0.05], TIPS_AWAY)},  # a thumb
        {"bowl_up": np.array([np.cos(np.radians(16.0))])},  # the bowl leans
    ],
)
def test_near_misses_are_no_success(change: dict[str, np.ndarray]) -> None:
    assert not is_dropped(replace(DONE, **change), CONFIG)[0]


def test_states_of_a_batch_are_independent() -> None:
    both = DropState(*(np.concatenate([v, v]) for v in vars(DONE).values()))
    both.speed_m_s[1] = 0.02
    assert is_dropped(both, CONFIG).tolist() == [True, False]


def test_rest_must_last_a_second_without_a_break() -> None:
    met = [True] * 19 + [False] + [True] * 19
    score = Score.zero(1)
    for one in met:
        score = advance_score(score, np.array([one]), CONFIG.hold_s, 0.05)
    assert not score.success[0]
    assert advance_score(score, np.array([True]), CONFIG.hold_s, 0.05).success[0]


@pytest.fixture(scope="module")
def world() -> World:
    return World(TASK.build_model(), load_embodiment())


def put(world: World, name: str, position_m: np.ndarray) -> None:
    address = world.model.joint(name).qposadr[0]
    world.data.qpos[address : address + 7] = [*position_m, 1.0, 0.0, 0.0, 0.0]
    mujoco.mj_forward(world.model, world.data)


def test_a_cube_that_falls_into_the_hollow_bowl_is_success_a_second_after_it_rests(
    world: World,
) -> None:
    start = TASK.sample(np.random.default_rng(0))
    world.reset(arrange=TASK.arrange(start))
    world.set_arm_enabled(True)
    monitor = TASK.monitor(world.model, start)
    put(world, "cube", start.others["bowl"].position_m[0] + [0.01, 0.0, 0.05])
    while not monitor.update(world.data, 0.003):
        assert monitor.time_s < 3.0
        world.step(3)
    assert monitor.time_s > 1.05  # it fell first
    assert monitor.read(world.data).cube_m[0, 2] == pytest.approx(0.033, abs=2e-3)


def test_a_cube_beside_the_bowl_is_no_success(world: World) -> None:
    start = TASK.sample(np.random.default_rng(0))
    world.reset(arrange=TASK.arrange(start))
    monitor = TASK.monitor(world.model, start)
    put(world, "cube", start.others["bowl"].position_m[0] + [0.12, 0.0, 0.0])
    assert not monitor.met(world.data)


def test_the_touch_of_a_finger_is_seen(world: World) -> None:
    start = TASK.sample(np.random.default_rng(0))
    world.reset(arrange=TASK.arrange(start))
    monitor = TASK.monitor(world.model, start)
    assert not monitor.read(world.data).touched[0]
    tip = world.data.site("middle_tip").xpos
    put(world, "cube", tip - [0.0, 0.0, 0.03])
    assert monitor.read(world.data).touched[0]


def test_a_stack_needs_its_lower_cube_and_the_bowl_its_wall() -> None:
    values = CONFIG.model_dump()
    lacking = {name: thing for name, thing in values["objects"].items() if name != "lower_cube"}
    with pytest.raises(ConfigError, match=r"objects lacks \['lower_cube'\]"):
        validate({**values, "objects": lacking}, GraspDropConfig, "test")
    filled = {**values["objects"], "bowl": {**values["objects"]["bowl"], "wall": None}}
    with pytest.raises(ConfigError, match="'bowl' needs a wall"):
        validate({**values, "objects": filled}, GraspDropConfig, "test")
