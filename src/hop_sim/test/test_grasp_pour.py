"""Grasp & Pour: each part of the success predicate on a near miss, and the monitor in the scene."""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from hop_core.embodiment import load_embodiment
from hop_core.robot_config import load_robot
from hop_sim.agents import ExpertAgent
from hop_sim.disturbance import Disturbance
from hop_sim.experts.grasp_pour import PourExpert
from hop_sim.rollout import CellSpec
from hop_sim.tasks.grasp_pour import PourState, is_poured
from hop_sim.tasks.registry import load_task
from hop_sim.tasks.start import Placement

TASK = load_task("grasp_pour", load_robot("twin").table)
CONFIG = TASK.config
MODEL = TASK.build_model()
RIM_M = 0.055
DONE = PourState(
    tilt_rad=np.radians([60.01]),
    mouth_m=np.array([[0.0, 0.04, RIM_M + 0.001]]),
    held=np.array([True]),
    bowl_moved_m=np.array([0.029]),
)


def test_a_tilted_bottle_over_the_bowl_is_success() -> None:
    assert is_poured(DONE, CONFIG)[0]


@pytest.mark.parametrize(
    "change",
    [
        {"tilt_rad": np.radians([59.0])},
        {"mouth_m": np.array([[0.0, 0.045, 0.1]])},  # 4.5 cm away
        {"mouth_m": np.array([[0.0, 0.0, RIM_M - 0.001]])},  # below the rim
        {"bowl_moved_m": np.array([0.035])},
        {"held": np.array([False])},
        # It lies in the bowl: tilted, its mouth up on the rim, but not held.
        {"tilt_rad": np.radians([75.0]), "held": np.array([False])},
    ],
)
def test_near_misses_are_no_success(change: dict[str, np.ndarray]) -> None:
    assert not is_poured(replace(DONE, **change), CONFIG)[0]


def test_the_expert_points_the_mouth_that_the_task_says() -> None:
    """That is the top of the bottle: its axis goes through both."""
    top = max(p.position_m[2] + p.size_m[-1] for p in CONFIG.objects["bottle"].pieces)
    assert CONFIG.mouth_m == pytest.approx((0.0, 0.0, top))
    twin = CellSpec("grasp_pour").build()
    twin.reset(TASK.sample(np.random.default_rng(2)), 0, 2)
    view, goals = twin.monitor.view(twin.world.data), []
    for mouth_m in (CONFIG.mouth_m, (0.0, 0.0, top - 0.02)):
        task = CONFIG.model_copy(update={"mouth_m": mouth_m})
        expert = PourExpert.of_episode(2, 0.05, task)
        expert.reset(twin.joints())
        expert.act(view)
        goals.append(expert._pointed(view, tilt_rad=0.0).goal_m)
    lower = goals[0] - goals[1]  # a mouth that is lower on the bottle wants the hand higher
    assert lower == pytest.approx([0.0, 0.0, -0.02], abs=1e-9)


def test_states_of_a_batch_are_independent() -> None:
    both = PourState(*(np.concatenate([v, v]) for v in vars(DONE).values()))
    both.held[0] = False
    assert is_poured(both, CONFIG).tolist() == [False, True]


def scene(tilt_deg: float, mouth_m: np.ndarray, bowl_m: np.ndarray, bowl_start_m: np.ndarray):
    """Return monitor and data with the bottle tilted to the robot's right, its mouth there."""
    start = TASK.sample(np.random.default_rng(0))
    bowl = Placement(np.array([bowl_start_m]), np.zeros(1))
    start = replace(start, others={"bowl": bowl})
    data = mujoco.MjData(MODEL)
    TASK.arrange(start)(MODEL, data)
    data.qpos[:23] = load_embodiment().home
    half = np.radians(tilt_deg) / 2
    up = np.array([0.0, -np.sin(2 * half), np.cos(2 * half)])
    foot = mouth_m - CONFIG.mouth_m[2] * up
    address = MODEL.joint("bottle").qposadr[0]
    data.qpos[address : address + 7] = [*foot, np.cos(half), np.sin(half), 0.0, 0.0]
    data.qpos[MODEL.joint("bowl").qposadr[0] :][:3] = bowl_m
    mujoco.mj_forward(MODEL, data)
    return TASK.monitor(MODEL, start), data


def mouth_in_hand(tilt_deg: float) -> np.ndarray:
    """Where the mouth is when the middle fingertip of the hand at home is at the bottle's body."""
    data = mujoco.MjData(MODEL)
    data.qpos[:23] = load_embodiment().home
    mujoco.mj_forward(MODEL, data)
    up = np.array([0.0, -np.sin(np.radians(tilt_deg)), np.cos(np.radians(tilt_deg))])
    side = np.array([0.0, np.cos(np.radians(tilt_deg)), np.sin(np.radians(tilt_deg))])
    # 3 mm into the skin of the bottle, 15 cm from its mouth.
    return data.site("middle_tip").xpos - 0.036 * side + 0.15 * up


def test_the_monitor_reads_axis_mouth_hold_and_bowl() -> None:
    mouth = mouth_in_hand(65.0)
    foot = np.array([mouth[0] + 0.02, mouth[1], 0.0])
    monitor, data = scene(65.0, mouth, foot, foot)
    state = monitor.read(data)
    assert np.degrees(state.tilt_rad[0]) == pytest.approx(65.0, abs=1e-6)
    assert state.mouth_m[0] == pytest.approx([-0.02, 0.0, mouth[2]], abs=1e-9)
    assert state.held[0]
    assert state.bowl_moved_m[0] == 0.0
    assert monitor.met(data)


@pytest.mark.parametrize(
    ("tilt_deg", "aside_m", "moved_m"), [(59.0, 0.0, 0.0), (65.0, 0.045, 0.0), (65.0, 0.0, 0.035)]
)
def test_the_monitor_refuses_near_misses(tilt_deg: float, aside_m: float, moved_m: float) -> None:
    mouth = mouth_in_hand(tilt_deg)
    foot = np.array([mouth[0] + aside_m, mouth[1], 0.0])
    monitor, data = scene(tilt_deg, mouth, foot + np.array([moved_m, 0.0, 0.0]), foot)
    assert monitor.read(data).held[0]
    assert not monitor.met(data)


def test_a_bottle_that_leans_in_the_bowl_is_not_held() -> None:
    foot = np.array([0.5, -0.1, 0.0])
    mouth = foot + np.array([0.0, 0.0, RIM_M + 0.02])
    monitor, data = scene(65.0, mouth, foot, foot)
    assert data.ncon > 0
    assert not monitor.read(data).held[0]
    assert not monitor.met(data)


@pytest.mark.parametrize("disturbed", [False, True])
def test_the_expert_points_the_mouth_at_the_bowl_however_the_bottle_settles(
    disturbed: bool,
) -> None:
    """It turns by some 20 degrees in the hand as it leaves the table."""
    twin = CellSpec("grasp_pour").build()
    tick_s = 1.0 / twin.contract.policy_hz
    disturbance = Disturbance(CONFIG.demo_disturbance, tick_s) if disturbed else None
    agent, seen = ExpertAgent(tick_s, disturbance=disturbance), []
    twin.reset(TASK.sample(np.random.default_rng(2)), 0, 2)
    agent.reset(twin, 2)
    while not twin.done:
        twin.step(agent.act(twin))
        seen.append(twin.monitor.read(twin.world.data).mouth_m[0, :2])
    assert twin.success
    off_m = np.linalg.norm(np.mean(seen[-10:], axis=0))
    assert off_m < (0.02 if disturbed else 0.005)
