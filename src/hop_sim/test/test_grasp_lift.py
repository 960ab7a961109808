"""Grasp & Lift: start states, each success predicate on a near miss, a scene that helps nobody."""

import json
from dataclasses import replace

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop_core.config import validate
from hop_core.embodiment import ARM, HAND, load_embodiment
from hop_core.errors import ConfigError
from hop_core.kinematics import Kinematics
from hop_core.robot_config import load_robot
from hop_sim import grasp_matrix_cli
from hop_sim.experts.grasp import quarter
from hop_sim.experts.grasp_lift import LiftExpert
from hop_sim.experts.lift_grasps import HANDLE_CLEAR_RAD, beside_handle
from hop_sim.experts.starts import demonstration_start
from hop_sim.grasp_matrix import Trial, all_trials, try_grasps
from hop_sim.rollout import CellSpec
from hop_sim.tasks.grasp_lift import GraspLiftConfig, LiftState, is_lifted, reward
from hop_sim.tasks.registry import load_task
from hop_sim.tasks.score import Score, advance_score

TABLE = load_robot("twin").table
TASK = load_task("grasp_lift", TABLE)
MODEL = TASK.build_model()


def state(rise_m: float, held: bool = True) -> LiftState:
    return LiftState(np.array([rise_m]), np.array([held]), np.full((1, 4), 0.05), np.zeros((1, 23)))


def play(states: list[LiftState], dt_s: float = 0.05) -> bool:
    score = Score.zero(1)
    for one in states:
        score = advance_score(score, is_lifted(one, TASK.config), TASK.config.hold_s, dt_s)
    return bool(score.success[0])


def test_two_seconds_at_ten_centimetres_are_success() -> None:
    assert play([state(0.10)] * 40)


@pytest.mark.parametrize(
    "near_miss",
    [
        [state(0.10)] * 39,  # 1.95 s
        [state(0.099)] * 100,  # a millimetre too low
        [state(0.15, held=False)] * 100,  # up, but on something else than the hand
        [*[state(0.10)] * 30, state(0.09), *[state(0.10)] * 30],  # with a break
    ],
)
def test_near_misses_are_failures(near_miss: list[LiftState]) -> None:
    assert not play(near_miss)


def test_success_stays_once_reached() -> None:
    assert play([*[state(0.10)] * 40, state(0.0, held=False)])


def test_the_monitor_counts_while_it_is_held_up_and_starts_anew_after_a_break(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = mujoco.MjData(MODEL)
    start = TASK.sample(np.random.default_rng(0))
    monitor = TASK.monitor(MODEL, start)

    def play_monitor(rise_m: float, sets: int) -> float:
        data.xpos[MODEL.body(monitor.object_name).id, 2] = start.position_m[0, 2] + rise_m
        monkeypatch.setattr(monitor, "read", lambda _: state(rise_m))
        for _ in range(sets):
            monitor.update(data, 0.003)
        return float(monitor.score.met_s[0])

    assert play_monitor(0.05, 100) == 0.0
    assert play_monitor(0.10, 600) == pytest.approx(1.8)
    assert play_monitor(0.09, 1) == 0.0
    assert not monitor.score.success[0]
    play_monitor(0.10, 667)
    assert monitor.score.success[0]
    play_monitor(0.0, 10)
    assert monitor.score.success[0]
    assert monitor.time_s == pytest.approx(0.003 * 1378)


def test_scores_of_a_batch_are_independent() -> None:
    score = Score.zero(2)
    both = LiftState(
        np.array([0.2, 0.0]), np.array([True, True]), np.zeros((2, 4)), np.zeros((2, 23))
    )
    for _ in range(40):
        score = advance_score(score, is_lifted(both, TASK.config), TASK.config.hold_s, 0.05)
    assert score.success.tolist() == [True, False]


def test_reward_prefers_nearing_lifting_and_stillness() -> None:
    far, near = state(0.0), replace(state(0.0), tip_distance_m=np.full((1, 4), 0.04))
    up, fast = state(0.12), replace(state(0.0), qd=np.ones((1, 23)))
    value = {
        name: reward(far, after, TASK.config)[0]
        for name, after in (("same", far), ("near", near), ("up", up), ("fast", fast))
    }
    assert value["fast"] < value["same"] < value["near"] < value["up"]


def test_starts_cover_the_configured_square_and_repeat_by_seed() -> None:
    starts = TASK.sample(np.random.default_rng(0), 400)
    offset = starts.position_m[:, :2] - TASK.config.place.center_m
    half_width = np.array(TASK.config.place.spread_m)
    assert np.all(np.abs(offset) <= half_width)
    assert np.all(np.abs(offset).max(axis=0) > 0.9 * half_width)
    assert starts.yaw_rad.max() - starts.yaw_rad.min() > 6.0
    again = TASK.sample(np.random.default_rng(0), 400)
    assert np.array_equal(starts.position_m, again.position_m)


def test_demonstrations_start_around_home_near_the_object_and_after_a_miss() -> None:
    task = load_task("grasp_lift_can", TABLE)
    starts = [demonstration_start(task, np.random.default_rng(n), n) for n in range(60)]
    demo, home = task.config.demo_starts, load_embodiment().home
    q = np.concatenate([start.q for start in starts])
    foot_m = np.concatenate([start.position_m for start in starts])
    about_home = np.all(np.abs(q - home)[:, ARM] <= demo.noise_arm_rad, axis=1)
    fist = LiftExpert.grasps["can"].fist
    is_fist = np.abs(q[:, HAND] - fist).max(axis=1) <= demo.noise_hand_rad + 0.02
    is_near = ~about_home & ~is_fist
    assert 0.05 < is_fist.mean() < 0.4
    assert 0.1 < is_near.mean() < 0.5
    kinematics = Kinematics()
    palm_m = kinematics.site_poses(q, "palm")[:, :3, 3]
    assert np.linalg.norm(palm_m - foot_m, axis=1)[is_near].max() < 0.42
    assert palm_m[is_fist, 2].min() > 0.16  # above what stands there


def test_shares_of_demonstrations_above_one_are_refused() -> None:
    values = TASK.config.model_dump()
    shares = {**values["demo_starts"], "near": 0.9, "after_miss": 0.2}
    with pytest.raises(ConfigError, match="together at most 1"):
        validate({**values, "demo_starts": shares}, GraspLiftConfig, "test")


@pytest.mark.parametrize("name", list(TASK.config.objects))
def test_objects_stand_where_they_were_put(name: str) -> None:
    model = MODEL
    data = mujoco.MjData(model)
    start = TASK.choose(TASK.sample(np.random.default_rng(3)), name)
    data.qpos[:23] = load_embodiment().home
    data.ctrl[:7] = load_embodiment().home[:7]
    TASK.arrange(start)(model, data)
    mujoco.mj_step(model, data, nstep=500)
    assert data.body(name).xpos == pytest.approx(start.position_m[0], abs=2e-3)
    others = [data.body(other).xpos[0] for other in TASK.objects if other != name]
    assert max(others) < -1.0  # parked behind the robot


def test_held_means_touched_by_the_hand_and_nothing_else() -> None:
    data = mujoco.MjData(MODEL)
    start = TASK.sample(np.random.default_rng(0))
    monitor = TASK.monitor(MODEL, start)
    TASK.arrange(start)(MODEL, data)
    data.qpos[:23] = load_embodiment().home
    mujoco.mj_step(MODEL, data, nstep=50)
    assert not monitor.read(data).held[0]  # it stands on the table
    data.qpos[25] = 1.0
    mujoco.mj_forward(MODEL, data)
    assert not monitor.read(data).held[0]  # it flies


@pytest.mark.parametrize("name", ["pot", "stand"])
def test_resting_on_another_object_is_not_being_held(name: str) -> None:
    """Lifted high enough and touched by a finger, but standing on the jar, which is no hand."""
    data = mujoco.MjData(MODEL)
    start = TASK.choose(TASK.sample(np.random.default_rng(0)), name)
    monitor = TASK.monitor(MODEL, start)
    TASK.arrange(start)(MODEL, data)
    data.qpos[:23] = load_embodiment().home
    data.qpos[1] -= 0.4  # the arm up
    mujoco.mj_forward(MODEL, data)
    tip = data.site("index_tip").xpos.copy()
    top = {"pot": [0.073, 0.0, 0.120], "stand": [0.0, 0.0, 0.127]}[name]
    foot = tip - top - np.array([0.0, 0.0, 0.0125])  # its top touches the tip from below
    place(data, name, foot)
    mujoco.mj_forward(MODEL, data)
    assert monitor.met(data)
    place(data, "jar", foot - np.array([0.0, 0.0, 0.0595]))  # its top touches the foot
    mujoco.mj_forward(MODEL, data)
    assert monitor.rise_m(data) > TASK.config.lift_height_m
    assert not monitor.met(data)


def place(data: mujoco.MjData, name: str, position_m: np.ndarray) -> None:
    address = MODEL.joint(name).qposadr[0]
    data.qpos[address : address + 7] = [*position_m, 1.0, 0.0, 0.0, 0.0]


@given(st.floats(-np.pi, np.pi))
def test_the_palm_turns_little_toward_a_side_and_away_from_a_handle(yaw_rad: float) -> None:
    side = (yaw_rad - quarter(yaw_rad)) / (np.pi / 2)
    assert side == pytest.approx(round(side), abs=1e-9)
    assert abs(quarter(yaw_rad)) <= np.pi / 4 + 1e-9
    turn = beside_handle(yaw_rad)
    assert abs(yaw_rad - turn) >= HANDLE_CLEAR_RAD - 1e-9
    assert abs(turn) <= HANDLE_CLEAR_RAD


@pytest.mark.slow
@pytest.mark.timeout(600)  # most pairs fail, and take their 30 s
def test_each_object_is_taken_by_its_own_grasp_and_hardly_by_another() -> None:
    trials = all_trials(TASK.choices, range(4))
    done = dict(zip(trials, try_grasps(CellSpec("grasp_lift"), trials, 1), strict=True))
    for grasp in TASK.choices:
        for thing in TASK.choices:
            successes = sum(done[Trial(grasp, thing, seed)] for seed in range(4))
            assert successes >= 3 if grasp == thing else successes <= 2, (grasp, thing)


def test_grasps_prints_the_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--task", "grasp_lift_can", "-n", "1", "--workers", "1"]
    assert grasp_matrix_cli.main([*command, "--json"]) == 0
    rate = json.loads(capsys.readouterr().out.splitlines()[-1])["grasps"]["can"]["can"]
    assert (rate["successes"], rate["trials"]) == (1, 1)
    with pytest.raises(ConfigError, match="must be at least 1, got 0 and 2"):
        grasp_matrix_cli.main(["-n", "0"])


def test_an_unknown_object_in_use_is_named() -> None:
    values = TASK.config.model_dump()
    with pytest.raises(ConfigError, match=r"objects_in_use names \['spoon'\]"):
        validate({**values, "objects_in_use": ("spoon",)}, GraspLiftConfig, "test")


def test_an_unknown_task_is_named() -> None:
    with pytest.raises(ConfigError, match="unknown task 'juggle'; tasks: grasp_drop, grasp_lift"):
        load_task("juggle", TABLE)
