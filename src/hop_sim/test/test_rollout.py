"""Lock-step: the expert succeeds, doing nothing stays, one seed is one episode to the bit."""

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from hop_core.config import config_path
from hop_core.errors import ConfigError
from hop_sim.agents import ExpertAgent, ZeroAgent
from hop_sim.experts.starts import demonstration_start
from hop_sim.lockstep import EPOCH_NS, MS, LockStep
from hop_sim.object_cloud import canonical_cloud, posed_cloud
from hop_sim.processes import over_processes
from hop_sim.rollout import CellSpec, roll_out
from hop_sim.seeds import FIRST_DEMO_SEED, demonstration_seeds, evaluation_seeds
from hop_sim.statistics import success_rate
from hop_sim.xarm_reports import Settings


@pytest.fixture(scope="module")
def twin() -> LockStep:
    assert config_path("tasks/grasp_lift_can.yaml").is_file()
    return CellSpec("grasp_lift_can").build()


def test_the_expert_lifts(twin: LockStep) -> None:
    outcomes = [roll_out(twin, ExpertAgent(0.05), seed) for seed in (0, 1)]
    assert [outcome.success for outcome in outcomes] == [True, True]
    assert all(3.0 < outcome.time_s < 15.0 for outcome in outcomes)


@pytest.mark.parametrize("begin", ["near", "after_miss"])
def test_the_expert_lifts_from_where_policies_go_wrong(
    twin: LockStep, begin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = {"near": 0.0, "after_miss": 0.0, begin: 1.0}
    demo_starts = twin.task.config.demo_starts.model_copy(update=shares)
    config = twin.task.config.model_copy(update={"demo_starts": demo_starts})
    monkeypatch.setattr(twin.task, "config", config)
    assert all(
        roll_out(
            twin, ExpertAgent(0.05), n, draw_start=partial(demonstration_start, number=n)
        ).success
        for n in (0, 1)
    )


def test_an_episode_repeats_to_the_bit(twin: LockStep) -> None:
    first = roll_out(twin, ExpertAgent(0.05), 5)
    q = twin.world.data.qpos.copy()
    assert roll_out(twin, ExpertAgent(0.05), 5) == first
    assert np.array_equal(twin.world.data.qpos, q)


def test_observations_are_as_old_as_the_contract_says(twin: LockStep) -> None:
    start = twin.task.sample(np.random.default_rng(0))
    twin.reset(start, 0, 0)
    for _ in range(3):
        chosen = twin.observe()
        age_ms = {name: (twin.now_ns - stamp) / MS for name, (stamp, _) in chosen.items()}
        assert 30 <= age_ms["depth"] < 30 + 34 + 3
        assert 10 <= age_ms["arm"] < 10 + 9 + 3
        assert 10 <= age_ms["hand"] < 10 + 6 + 3
        twin.step(twin.joints())
    assert twin.now_ns == EPOCH_NS + 300 * MS + 3 * 50 * MS


def test_a_jump_is_limited_and_nan_ends_the_episode(twin: LockStep) -> None:
    start = twin.task.sample(np.random.default_rng(0))
    twin.reset(start, 0, 0)
    q = twin.step(twin.joints())
    accepted = twin.step(q + 1.0)
    assert np.abs(accepted - q).max() < 0.4
    twin.step(accepted)
    motion = twin.motion.motion()
    assert motion.clamps is not None
    assert motion.targets == 3
    assert motion.clamps["velocity"] >= 1
    twin.step(np.full(23, np.nan))
    assert "NaN" in twin.stopped
    assert twin.done
    assert not twin.success


def pushed_down(twin: LockStep) -> str:
    """Push the hand towards the table; return why the episode ended."""
    start = twin.task.sample(np.random.default_rng(0))
    twin.reset(start, 0, 0)
    q = start.q[0].copy()
    for _ in range(60):
        q[1] += 0.02
        q = twin.step(q).copy()
        if twin.done:
            break
    return twin.stopped


def test_a_blocked_arm_trips_as_the_control_box_does(twin: LockStep) -> None:
    told = pushed_down(twin)
    assert "C31: a collision was detected" in told
    assert twin.done
    assert not twin.success
    agent = ZeroAgent()
    twin.reset(twin.task.sample(np.random.default_rng(0)), 0, 0)
    agent.reset(twin, 0)
    twin.step(agent.act(twin))
    assert twin.stopped == ""  # the next episode begins anew


def test_an_arm_that_does_not_follow_ends_the_episode(
    twin: LockStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    watchdog = twin._safety.watchdog.model_copy(update={"tracking_error_rad": 0.05})
    safety = twin._safety.model_copy(update={"watchdog": watchdog})
    monkeypatch.setattr(twin, "_safety", safety)
    monkeypatch.setattr(twin, "_box", Settings(collision_sensitivity=0))
    assert pushed_down(twin).startswith("joint2 is 0.0")
    assert not twin.success


def test_a_first_target_from_afar_ends_the_episode(twin: LockStep) -> None:
    start = twin.task.sample(np.random.default_rng(0))
    twin.reset(start, 0, 0)
    far = twin.joints()
    far[1] += 1.0
    twin.step(far)
    assert "first target refused: joint2" in twin.stopped


def test_steady_targets_are_steady_commands(
    twin: LockStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = twin.task.sample(np.random.default_rng(0))
    twin.reset(start, 0, 0)
    commands: list[float] = []
    monkeypatch.setattr(twin.world, "set_arm_target", lambda q: commands.append(q[0]))
    q = start.q[0].copy()
    for _ in range(20):
        q[0] += 0.02
        twin.step(q)
    speeds = np.diff(commands[60:]) * 120.0  # the limit on acceleration has ended by then
    assert np.abs(speeds - 0.4).max() < 0.05


def test_an_agent_that_does_nothing_stays(twin: LockStep) -> None:
    start = twin.task.sample(np.random.default_rng(0))
    twin.reset(start, 0, 0)
    agent = ZeroAgent()
    agent.reset(twin, 0)
    for _ in range(20):
        twin.step(agent.act(twin))
    assert np.abs(twin.joints()[:7] - start.q[0, :7]).max() < 0.02


def test_clouds_lie_on_the_object_and_move_with_it(twin: LockStep) -> None:
    can = twin.task.objects["can"]
    cloud = canonical_cloud(can, 100)
    assert cloud.shape == (100, 3)
    radius = np.linalg.norm(cloud[:, :2], axis=1)
    on_side, on_lid = (
        np.isclose(radius, 0.03),
        np.isclose(cloud[:, 2], 0.0) | np.isclose(cloud[:, 2], 0.1),
    )
    assert np.all(on_side | on_lid)
    pose = np.eye(4)
    pose[:3, 3] = 0.5, 0.0, 0.2
    assert posed_cloud(cloud, pose) == pytest.approx(cloud + pose[:3, 3], abs=1e-6)


def test_demonstrations_and_evaluation_never_share_a_seed() -> None:
    assert not set(evaluation_seeds(1000)) & set(demonstration_seeds(1000))
    with pytest.raises(ConfigError, match="belong to demonstrations"):
        evaluation_seeds(10, FIRST_DEMO_SEED - 5)


def test_wilson_interval_of_twelve_of_twenty() -> None:
    rate = success_rate([True] * 12 + [False] * 8)
    assert (rate.low, rate.high) == pytest.approx((0.387, 0.781), abs=1e-3)


SLEEPERS = """
import os, time
from hop_sim.processes import over_processes
def make():
    # One write: two prints at once may end both lines after both numbers.
    return lambda seed: (os.write(1, f"{os.getpid()}\\n".encode()), time.sleep(60))
if __name__ == "__main__":
    list(over_processes(make, [1, 2], 2))
"""


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    parent = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert parent.stdout is not None
    workers = [int(parent.stdout.readline()) for _ in range(2)]
    parent.kill()
    parent.wait()
    give_up = time.monotonic() + 60.0
    while any(psutil.pid_exists(pid) and _alive(pid) for pid in workers):
        assert time.monotonic() < give_up, "a worker outlived its parent"
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _cell_of_a_missing_folder() -> Callable[[int], object]:
    CellSpec("grasp_lift", config_dir="/nowhere").build()
    raise AssertionError("the cell was built")


def test_what_is_wrong_with_a_worker_is_said_in_its_own_sentence() -> None:
    with pytest.raises(ConfigError, match="/nowhere"):
        list(over_processes(_cell_of_a_missing_folder, [1, 2], 2))
