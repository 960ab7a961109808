"""Facts about running a policy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from hop_core.errors import ModelError
from hop_policy.contract import PolicyContract
from hop_policy.encoders import EncoderConfig
from hop_policy.export import plausible_observation
from hop_policy.inference import Policy
from hop_policy.model import PolicyConfig, PolicyModel
from hop_policy.observation import JointScaling, Observation

TOY = PolicyConfig(
    layers=2, width=32, heads=2, context=8, encoder=EncoderConfig(channels=(4, 4, 8, 8))
)
RESETS = {37: [0, 1, 2], 50: [1], 61: [0, 2], 62: [0]}


@pytest.fixture(params=["paper, depth", "shipped, depth", "paper, point_cloud"])
def model(request: pytest.FixtureRequest, shipped_network: PolicyConfig) -> PolicyModel:
    network, vision = request.param.split(", ")
    torch.manual_seed(0)
    config = TOY if network == "paper" else shipped_network
    return PolicyModel(config, PolicyContract(vision=vision))


def observations(model: PolicyModel, ticks: int, batch: int) -> list[Observation]:
    rng = np.random.default_rng(0)
    return [plausible_observation(rng, model, batch) for _ in range(ticks)]


@torch.inference_mode()
def uncached(model: PolicyModel, history: list[Observation], robot: int) -> np.ndarray:
    recent = history[-model.config.context :]
    proprio = torch.from_numpy(np.stack([o.proprio[robot] for o in recent]))
    vision = torch.from_numpy(np.stack([o.vision[robot] for o in recent]))
    return JointScaling(model.contract).unscale(model(proprio[None], vision[None])[0, -1].numpy())


def test_cached_equals_uncached_over_100_ticks_with_resets(model: PolicyModel) -> None:
    policy = Policy(model, batch=3)
    histories: list[list[Observation]] = [[], [], []]
    for tick, observation in enumerate(observations(model, 100, 3)):
        if tick in RESETS:
            policy.reset(np.array(RESETS[tick]))
            for robot in RESETS[tick]:
                histories[robot] = []
        targets = policy.act(observation)
        for robot in range(3):
            histories[robot].append(observation)
            if robot != tick % 3 and tick - 2 not in RESETS and tick not in RESETS:
                continue  # one robot in turn, and all after a reset: the check is the slow part
            wanted = uncached(model, histories[robot], robot)
            np.testing.assert_allclose(targets[robot], wanted, rtol=0, atol=1e-5)


def test_a_robot_in_a_batch_acts_as_if_alone(model: PolicyModel) -> None:
    together, alone = Policy(model, batch=3), Policy(model)
    for observation in observations(model, 20, 3):
        mine = Observation(observation.proprio[1:2], observation.vision[1:2])
        np.testing.assert_allclose(together.act(observation)[1], alone.act(mine)[0], atol=1e-5)


def test_warm_up_leaves_no_trace(model: PolicyModel) -> None:
    warm, cold = Policy(model), Policy(model)
    warm.warm_up(5)
    for observation in observations(model, 3, 1):
        np.testing.assert_array_equal(warm.act(observation), cold.act(observation))


def test_a_reset_robot_is_free_of_what_broke_it() -> None:
    model = PolicyModel(TOY, PolicyContract())
    broken, fresh = Policy(model, batch=3), Policy(model, batch=3)
    first, second, third = observations(model, 3, 3)
    broken.act(first)
    fresh.act(first)
    bad = Observation(second.proprio.copy(), second.vision)
    bad.proprio[1] = np.nan
    with pytest.raises(ModelError, match="not finite"):
        broken.act(bad)
    fresh.act(second)
    broken.reset(np.array([1]))
    fresh.reset(np.array([False, True, False]))
    np.testing.assert_array_equal(broken.act(third), fresh.act(third))


def test_warm_up_mends_a_history_that_is_not_finite() -> None:
    policy = Policy(PolicyModel(TOY, PolicyContract()))
    (good,) = observations(policy.model, 1, 1)
    with pytest.raises(ModelError, match="not finite"):
        policy.act(Observation(np.full_like(good.proprio, np.inf), good.vision))
    policy.warm_up(1)
    assert np.isfinite(policy.act(good)).all()


def test_wrong_shapes_and_broken_weights_are_refused() -> None:
    policy = Policy(PolicyModel(TOY, PolicyContract()))
    (good,) = observations(policy.model, 1, 1)
    with pytest.raises(ModelError, match="expects vision of shape"):
        policy.act(Observation(good.proprio, good.vision[:, :30]))
    with pytest.raises(ModelError, match="float64"):
        policy.act(Observation(good.proprio.astype(np.float64), good.vision))
    with torch.no_grad():
        policy.model.action_head.bias.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        policy.act(good)
