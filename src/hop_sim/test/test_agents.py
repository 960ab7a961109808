"""The controls of a success table: what a blind policy is shown, what the nearest one replays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode
from hop_policy.observation import JointScaling, Observation
from hop_sim import agents, evaluate
from hop_sim.agents import Agent, BlindAgent, NearestDemonstrationAgent
from hop_sim.lockstep import LockStep
from hop_sim.rollout import CellSpec, Outcome, roll_out
from hop_sim.seeds import FIRST_DEMO_SEED

CONTRACT = PolicyContract()
CAMERA = CellSpec("grasp_lift").load_robot().camera


class Scene:
    """A twin of which one number can be seen and one be felt."""

    def __init__(self, seen: float, felt: float) -> None:
        self.seen, self.felt = seen, felt

    def joints(self) -> np.ndarray:
        return JointScaling(CONTRACT).unscale(np.full(23, self.felt))


class Observer:
    def __init__(self, _contract: PolicyContract, _camera: object) -> None: ...

    def observe(self, twin: Scene) -> Observation:
        proprio = np.full((1, 23), twin.felt, np.float32)
        return Observation(proprio, np.full((1, 60, 60), twin.seen, np.float32))


class Echo:
    """A policy that answers with what it sees and feels."""

    contract = CONTRACT

    def reset(self) -> None:
        self.episodes = getattr(self, "episodes", 0) + 1

    def act(self, seen: Observation) -> np.ndarray:
        return np.array([[seen.vision.mean(), seen.proprio.mean()]])


@pytest.fixture(autouse=True)
def _plain_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "LockStepObserver", Observer)


def video(*values: float) -> np.ndarray:
    return np.stack([np.full((60, 60), value, np.float32) for value in values])


def test_a_blind_policy_feels_its_own_arm_and_sees_another_episode() -> None:
    policy: Any = Echo()
    blind = BlindAgent(policy, [video(0.1, 0.2), video(0.5)])
    answers = {}
    for scene in (Scene(0.7, 1.0), Scene(0.9, 2.0)):
        twin: Any = scene
        blind.reset(twin, seed=2)
        answers[scene.felt] = np.array([blind.act(twin) for _ in range(3)])
    assert policy.episodes == 2
    for felt, answer in answers.items():
        np.testing.assert_allclose(answer[:, 0], [0.1, 0.2, 0.2], atol=1e-6)  # the last frame stays
        np.testing.assert_allclose(answer[:, 1], felt, atol=1e-6)
    blind.reset(twin, seed=3)
    assert blind.act(twin)[0] == pytest.approx(0.5)


def test_a_blind_policy_is_shown_other_episodes_than_are_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its donors are the expert's, of seeds that are no evaluation's, and each shows motion."""
    monkeypatch.undo()  # the observer is the real one here
    seeds: list[int] = []

    def seen_and_rolled(twin: LockStep, agent: Agent, seed: int) -> Outcome:
        seeds.append(seed)
        return roll_out(twin, agent, seed)

    monkeypatch.setattr(evaluate, "BLIND_DONORS", 2)
    monkeypatch.setattr(evaluate, "roll_out", seen_and_rolled)
    visions = evaluate._donor_visions.__wrapped__(CellSpec("grasp_lift_can"))
    assert len(set(seeds)) == len(visions) == 2
    assert min(seeds) >= FIRST_DEMO_SEED
    for vision in visions:
        assert vision.shape[1:] == (60, 60)
        assert 60 < len(vision) < 600  # an expert's episode, not one that ran out of time
        assert np.abs(vision[0] - vision[len(vision) // 2]).mean() > 1e-3  # metres
    assert np.abs(visions[0][0] - visions[1][0]).mean() > 1e-3


def test_the_demonstration_that_began_most_alike_is_replayed_and_its_last_target_held() -> None:
    demos = [
        Episode(name, np.zeros((2, 23), np.float32), video(first, other), action)
        for name, first, other, action in (
            ("far", 0.9, 0.5, np.full((2, 23), 0.9)),
            ("near", 0.6, 0.9, np.stack([np.full(23, 0.1), np.full(23, 0.2)])),
        )
    ]
    nearest = NearestDemonstrationAgent(CONTRACT, CAMERA, demos)
    twin: Any = Scene(0.5, 0.0)  # as the far one ends, and the near one nearly begins
    nearest.reset(twin, seed=0)
    targets = [nearest.act(twin) for _ in range(3)]
    expected = JointScaling(CONTRACT).unscale(np.stack([demos[1].action[k] for k in (0, 1, 1)]))
    np.testing.assert_allclose(targets, expected)
