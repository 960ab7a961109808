"""Disturbed demonstrations: the arm strays where the expert has leeway, the labels do not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hop_core.embodiment import ARM, HAND
from hop_core.errors import BagError
from hop_policy.bag_dataset import load_episodes
from hop_policy.bag_reader import find_episodes, open_episode
from hop_sim.agents import ExpertAgent
from hop_sim.collect import Collection, collect
from hop_sim.collect_live import collect_live
from hop_sim.disturbance import Disturbance, DisturbanceConfig
from hop_sim.experts.bowl_expert import BOWL_LEEWAY
from hop_sim.experts.expert import Expert
from hop_sim.lockstep import LockStep
from hop_sim.rollout import CellSpec, roll_out
from hop_sim.tasks.task import SceneView

CONFIG = DisturbanceConfig(std_rad=0.03, time_s=0.4)
TICK_S = 0.05


@pytest.fixture(scope="module")
def twin() -> LockStep:
    return CellSpec("grasp_drop").build()


def test_the_offset_has_the_deviation_and_the_memory_that_were_asked_for() -> None:
    disturbance = Disturbance(CONFIG, TICK_S)
    disturbance.reset(0)
    offset = np.array([disturbance.step() for _ in range(20_000)])
    assert offset.shape == (20_000, 7)
    np.testing.assert_allclose(offset.std(0), CONFIG.std_rad, rtol=0.1)
    later = round(CONFIG.time_s / TICK_S)
    correlation = (offset[later:] * offset[:-later]).mean(0) / offset.var(0)
    np.testing.assert_allclose(correlation, np.exp(-1.0), atol=0.08)


def test_an_episode_strays_the_same_way_again() -> None:
    disturbance = Disturbance(CONFIG, TICK_S)

    def strayed(seed: int) -> np.ndarray:
        disturbance.reset(seed)
        return np.array([disturbance.step() for _ in range(5)])

    assert np.array_equal(strayed(1), strayed(1))
    assert not np.array_equal(strayed(1), strayed(2))


def test_a_deviation_or_a_time_that_cannot_be_is_refused() -> None:
    for wrong in ({"std_rad": -0.1}, {"std_rad": 1.0}, {"time_s": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DisturbanceConfig(**{**CONFIG.model_dump(), **wrong})


def test_the_arm_goes_beside_its_targets_and_the_recording_keeps_them(twin: LockStep) -> None:
    """The hand is left alone; the next episode begins undisturbed."""
    start = twin.task.sample(np.random.default_rng(0))
    offset = np.array([0.02, -0.02, 0.02, -0.02, 0.02, -0.02, 0.02])
    for disturbed in (True, False):
        twin.reset(start, 0, 0)
        asked = twin.joints()
        if disturbed:
            twin.disturb(offset)
        for _ in range(20):
            accepted = twin.step(asked)
        np.testing.assert_allclose(accepted, asked, atol=1e-9)
        strayed = twin.joints() - asked
        np.testing.assert_allclose(strayed[ARM], offset if disturbed else 0.0, atol=3e-3)
        np.testing.assert_allclose(strayed[HAND], 0.0, atol=0.1)  # fingers hang


def test_the_expert_has_no_leeway_where_the_hand_closes_or_turns_in(twin: LockStep) -> None:
    """It has all of it in between, some at the bowl, and does the task all the same."""
    agent = _Watched(ExpertAgent(TICK_S, disturbance=Disturbance(CONFIG, TICK_S)))
    outcome = roll_out(twin, agent, 3)
    assert outcome.success
    leeway = np.array([value for _, value in agent.seen])
    assert leeway.min() == 0.0
    assert leeway.max() == 1.0
    busy = [value for phase, value in agent.seen if phase in ("_close", "_release")]
    assert busy
    assert set(busy) == {0.0}
    at_bowl = [value for phase, value in agent.seen if phase == "_let_go"]
    assert BOWL_LEEWAY / 2 < min(at_bowl) <= max(at_bowl) == BOWL_LEEWAY
    assert np.abs(np.diff(leeway)).max() < 0.2  # or the arm would jump to its label


def test_after_a_loss_the_arm_comes_back_to_its_label_before_the_hand_closes_again(
    twin: LockStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What slips away on the way to the bowl leaves an arm that has all leeway."""
    agent = _Watched(ExpertAgent(TICK_S))
    losses = iter([True])

    def is_lost(expert: Expert, _view: SceneView) -> bool:
        return expert._phase_s > 1.2 and next(losses, False)

    monkeypatch.setattr("hop_sim.experts.expert.Expert._is_lost", is_lost)
    roll_out(twin, agent, 3)
    released = [value for phase, value in agent.seen if phase == "_release"]
    assert released[0] > 0.5  # it was on its way
    assert released[-1] == 0.0
    assert np.diff(released).max() <= 0.0


class _Watched:
    """An expert whose phase and leeway are noted after each tick."""

    def __init__(self, agent: ExpertAgent) -> None:
        self.agent = agent
        self.seen: list[tuple[str, float]] = []

    def reset(self, twin: LockStep, seed: int) -> None:
        self.agent.reset(twin, seed)

    def act(self, twin: LockStep) -> np.ndarray:
        target = self.agent.act(twin)
        expert = self.agent._expert
        self.seen.append((expert._phase.__name__, expert.leeway))
        return target


def test_a_demonstration_records_what_was_asked_for_and_says_how(tmp_path: Path) -> None:
    """On the way to the object the labels are those of an arm that obeys; the postures are not."""
    cell, shown = CellSpec("grasp_drop"), {}
    for steady in (False, True):
        root = tmp_path / str(steady)
        (outcome,) = collect(Collection(cell, root, steady=steady), 1, 0, workers=1)
        assert outcome.success
        info = open_episode(find_episodes(root)[0]).info
        assert info.extra["disturbed"] == str(not steady).lower()
        (shown[steady],) = load_episodes(root, cell.load_contract())
    way = slice(5, 25), ARM
    np.testing.assert_allclose(shown[False].action[way], shown[True].action[way], atol=1e-6)
    assert np.abs(shown[False].proprio[way] - shown[True].proprio[way]).max() > 0.001


def test_one_folder_does_not_hold_demonstrations_that_were_recorded_in_two_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same run again finds nothing to do; another way to record is refused, and named."""
    disturbed = Collection(CellSpec("grasp_drop"), tmp_path)
    assert len(list(collect(disturbed, 1, 0, workers=1))) == 1
    assert list(collect(disturbed, 1, 0, workers=1)) == []
    with pytest.raises(BagError, match="disturbed 'true', this run has 'false'"):
        list(collect(replace(disturbed, steady=True), 2, 0, workers=1))
    with pytest.raises(BagError, match="mode 'lock-step', this run has 'live'"):
        next(collect_live(disturbed, 2, 0))
    for of, key in (("ACTS", "expert"), ("MOVES", "moves")):
        with monkeypatch.context() as later:
            later.setattr(f"hop_sim.collect.{of}", -1)
            with pytest.raises(BagError, match=f"with {key} '"):
                list(collect(disturbed, 2, 0, workers=1))
    assert len(find_episodes(tmp_path)) == 1
