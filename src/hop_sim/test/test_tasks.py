"""Every task: its scene helps nobody, its starts are sound, its expert does it, idling does not."""

import mujoco
import numpy as np
import pytest

from hop_core.config import config_path, validate
from hop_core.embodiment import HAND, load_embodiment
from hop_core.errors import ConfigError, TwinError
from hop_core.robot_config import load_robot
from hop_sim.agents import ExpertAgent, ZeroAgent
from hop_sim.experts.registry import EXPERTS, expert_class
from hop_sim.experts.starts import demonstration_start
from hop_sim.lockstep import LockStep
from hop_sim.observe import LockStepObserver
from hop_sim.rollout import CellSpec, roll_out
from hop_sim.tasks.registry import TASKS, load_task
from hop_sim.tasks.start import PlaceConfig
from hop_sim.world import World

TABLE = load_robot("twin").table
BOWL_TASKS = ("grasp_drop", "grasp_pour")
_cells: dict[str, LockStep] = {}


@pytest.fixture
def twin(request: pytest.FixtureRequest) -> LockStep:
    if request.param not in _cells:
        _cells[request.param] = CellSpec(request.param).build()
    return _cells[request.param]


def test_every_task_has_a_configuration_and_an_expert_and_every_configuration_a_task() -> None:
    files = {path.stem for path in config_path("tasks/grasp_lift.yaml").parent.glob("*.yaml")}
    assert set(TASKS) == set(EXPERTS) == files
    with pytest.raises(ConfigError, match="'juggle' has no scripted expert; those that have: gra"):
        expert_class("juggle")


@pytest.mark.parametrize("name", TASKS)
def test_the_simulator_does_not_help(name: str) -> None:
    model = load_task(name, TABLE).build_model()
    assert model.neq == 0  # no weld
    assert model.npair == 0  # a pair would have a friction of its own
    assert model.nmocap == 0
    assert not np.any(model.actuator_trntype == mujoco.mjtTrn.mjTRN_BODY)  # no adhesion
    assert model.geom_friction[:, 0].max() <= 1.0
    hand = load_embodiment().hand
    cap = np.array(hand.cap) * hand.torque_per_unit_nm
    assert model.actuator_forcerange[HAND, 1] == pytest.approx(cap)
    assert model.actuator_forcerange[HAND, 0] == pytest.approx(-cap)
    assert model.opt.jacobian == mujoco.mjtJacobian.mjJAC_DENSE


@pytest.mark.parametrize(
    ("name", "hold_s"),
    [("grasp_lift", 2.0), ("grasp_lift_can", 2.0), ("grasp_drop", 1.0), ("grasp_pour", 1.0)],
)
def test_success_must_last_and_come_in_time(name: str, hold_s: float) -> None:
    config = load_task(name, TABLE).config
    assert (config.hold_s, config.time_limit_s) == (hold_s, 30.0)


@pytest.mark.parametrize("name", TASKS)
def test_things_stand_where_they_were_put_and_the_conditions_are_not_met(name: str) -> None:
    task = load_task(name, TABLE)
    start = task.sample(np.random.default_rng(3))
    world = World(task.build_model(), load_embodiment())
    world.reset(start.q[0], task.arrange(start))
    world.set_arm_enabled(True)
    monitor = task.monitor(world.model, start)
    before = monitor.view(world.data)
    world.step(500)
    after = monitor.view(world.data)
    for thing, pose in after.poses.items():
        assert pose == pytest.approx(before.poses[thing], abs=2e-3), thing
    assert after.object_name in task.choices
    assert not monitor.met(world.data)


@pytest.mark.parametrize("name", BOWL_TASKS)
def test_the_bowl_starts_apart_from_the_object_and_both_on_the_table(name: str) -> None:
    task = load_task(name, TABLE)
    starts = task.sample(np.random.default_rng(0), 500)
    bowl = starts.others["bowl"].position_m
    apart = np.linalg.norm(starts.position_m[:, :2] - bowl[:, :2], axis=1)
    assert apart.min() > 0.078 + 0.036 + 0.03  # bowl, half a cube's diagonal, a finger
    half = np.array(TABLE.size_m) / 2 - 0.08
    for places in (starts.position_m, bowl):
        assert np.all(np.abs(places[:, :2] - TABLE.center_m[:2]) < half)
        assert np.ptp(places[:, :2], axis=0).min() > 0.04  # they vary
    again = task.sample(np.random.default_rng(0), 500)
    assert np.array_equal(again.others["bowl"].yaw_rad, starts.others["bowl"].yaw_rad)


class TorqueWatch(ExpertAgent):
    """The expert; remembers the most that the arm's servos gave, as a share of what they can."""

    most = 0.0

    def act(self, twin: LockStep) -> np.ndarray:
        share = np.abs(twin.world.arm_servo_torque) / twin.world.arm_torque_limit
        self.most = max(self.most, float(share.max()))
        return super().act(twin)


@pytest.mark.parametrize("twin", TASKS, indirect=True)
def test_the_expert_does_it_and_pushes_nowhere(twin: LockStep) -> None:
    """An arm at the limit of its torque trips the control box; the expert stays well below it."""
    expert = TorqueWatch(0.05)
    outcome = roll_out(twin, expert, 0)
    assert outcome.success, outcome.reason
    assert 3.0 < outcome.time_s < 15.0
    assert 0.1 < expert.most < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("twin", BOWL_TASKS, indirect=True)
def test_the_expert_nearly_always_does_it(twin: LockStep) -> None:
    assert sum(roll_out(twin, ExpertAgent(0.05), seed).success for seed in range(20)) >= 18


@pytest.mark.slow
@pytest.mark.parametrize("twin", TASKS, indirect=True)
def test_doing_nothing_fails(twin: LockStep) -> None:
    outcome = roll_out(twin, ZeroAgent(), 0)
    assert (outcome.success, outcome.reason) == (False, "time limit")


@pytest.mark.parametrize("twin", BOWL_TASKS, indirect=True)
def test_a_refused_target_is_a_failure(twin: LockStep) -> None:
    twin.reset(twin.task.sample(np.random.default_rng(0)), 0, 0)
    twin.step(np.full(23, np.nan))
    assert twin.done
    assert not twin.success


@pytest.mark.parametrize(
    ("twin", "height_m"), [("grasp_drop", 0.075), ("grasp_pour", 0.085)], indirect=["twin"]
)
def test_a_cloud_policy_sees_the_object_that_is_to_be_moved(
    twin: LockStep, height_m: float
) -> None:
    """The upper cube's middle is 75 mm above the table, the bottle's half height is 85 mm."""
    twin.reset(twin.task.sample(np.random.default_rng(0)), 0, 0)
    contract = CellSpec(twin.task.config.task, vision="point_cloud").load_contract()
    camera = load_robot("twin").camera
    cloud = LockStepObserver(contract, camera).observe(twin).vision[0]
    middle = (cloud.min(axis=0) + cloud.max(axis=0)) / 2
    foot = twin.monitor.object_pose(twin.world.data)[:3, 3]
    assert middle == pytest.approx([foot[0], foot[1], height_m], abs=6e-3)


@pytest.mark.parametrize("name", BOWL_TASKS)
def test_demonstrations_start_in_all_the_configured_ways(name: str) -> None:
    task = load_task(name, TABLE)
    demo = task.config.demo_starts.model_copy(update={"near": 0.2, "after_miss": 0.1})
    task.config = task.config.model_copy(update={"demo_starts": demo})
    starts = [demonstration_start(task, np.random.default_rng(n), n) for n in range(40)]
    q = np.concatenate([start.q for start in starts])
    (grasp,) = EXPERTS[name].grasps.values()
    is_fist = np.abs(q[:, HAND] - grasp.fist).max(axis=1) <= demo.noise_hand_rad
    assert 0 < is_fist.sum() < 12
    assert np.all(q >= load_embodiment().lower)
    assert np.all(q <= load_embodiment().upper)


def test_an_object_that_is_no_choice_is_named() -> None:
    task = load_task("grasp_drop", TABLE)
    start = task.sample(np.random.default_rng(0))
    assert task.choose(start, "cube").object_index[0] == 0
    with pytest.raises(TwinError, match="no object 'lower_cube' to be in play; objects: cube"):
        task.choose(start, "lower_cube")


def test_demonstrations_take_turns_at_the_objects_and_are_spread_evenly() -> None:
    task = load_task("grasp_lift", TABLE)
    starts = [demonstration_start(task, np.random.default_rng(n), n) for n in range(64)]
    objects = np.array([start.object_index[0] for start in starts])
    assert np.array_equal(objects, np.arange(64) % 4)
    place = task.config.place
    for index in range(4):
        of_object = [s for s, i in zip(starts, objects, strict=True) if i == index]
        offset = np.concatenate([s.position_m[:, :2] for s in of_object]) - place.center_m
        assert np.all(np.abs(offset) <= place.spread_m)
        quadrant = (offset > 0) @ [1, 2]
        assert np.bincount(quadrant, minlength=4).min() >= 2  # of 16; 4 were perfectly even
        yaws = np.sort([s.yaw_rad[0] for s in of_object])
        assert np.diff(yaws).max() < 3 * 2 * np.pi / 16
    again = demonstration_start(task, np.random.default_rng(5), 5)
    assert np.array_equal(again.q, starts[5].q)


def test_a_place_of_less_than_no_width_is_refused() -> None:
    values = {"center_m": [0.5, 0.0], "spread_m": [-0.025, 0.025], "yaw_rad": 0.0}
    with pytest.raises(ConfigError, match="spread_m"):
        validate(values, PlaceConfig, "test")
