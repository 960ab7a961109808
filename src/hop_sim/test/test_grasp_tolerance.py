"""The experts' grips lie in the middle of where their grasps hold: a policy's hand comes beside."""

from dataclasses import replace

import numpy as np
import pytest

from hop_sim.agents import ExpertAgent
from hop_sim.experts.registry import expert_class
from hop_sim.lockstep import LockStep
from hop_sim.rollout import CellSpec

CLOSE_BY_S = 12.0  # one attempt: a grip that is wrong is as wrong when it is tried again


@pytest.fixture(scope="module")
def twins() -> dict[str, LockStep]:
    return {}


def _takes(twin: LockStep, name: str, seed: int) -> bool:
    start = twin.task.choose(twin.task.sample(np.random.default_rng(seed)), name)
    twin.reset(start, 0, seed)
    agent = ExpertAgent(0.05)
    agent.reset(twin, seed)
    while not twin.done and twin.monitor.time_s < CLOSE_BY_S:
        twin.step(agent.act(twin))
    return twin.success


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name", "beside_m"),
    [
        ("grasp_drop", "cube", (0.02, 0.015)),
        ("grasp_pour", "bottle", (0.02, 0.02)),
        ("grasp_lift", "tin", (0.02, 0.02)),
        ("grasp_lift", "jar", (0.024, 0.015)),
        ("grasp_lift", "pot", (0.015, 0.015)),
        ("grasp_lift", "stand", (0.024, 0.024)),
    ],
)
def test_a_grasp_holds_as_far_beside_its_grip_on_either_side(
    twins: dict[str, LockStep],
    monkeypatch: pytest.MonkeyPatch,
    task: str,
    name: str,
    beside_m: tuple[float, float],
) -> None:
    """`beside_m` is along the fingers and across them."""
    twin = twins.setdefault(task, CellSpec(task).build())
    expert = expert_class(task)
    grasp, failed = expert.grasps[name], []
    for axis, side in ((0, 1), (0, -1), (1, 1), (1, -1)):
        offset = np.zeros(3)
        offset[axis] = side * beside_m[axis]
        beside = replace(grasp, grip_m=grasp.grip_m + offset)
        monkeypatch.setattr(expert, "grasps", {**expert.grasps, name: beside})
        taken = sum(_takes(twin, name, seed) for seed in range(3))
        if taken < 3:
            failed.append((offset.tolist(), taken))
    assert not failed
