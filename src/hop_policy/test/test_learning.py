"""A depth policy learns where an object is: the read-out that keeps pixels apart, to under 1 cm."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode
from hop_policy.encoders import EncoderConfig
from hop_policy.inference import Policy
from hop_policy.model import PolicyConfig
from hop_policy.observation import JointScaling, Observation
from hop_policy.train import train
from hop_policy.train_config import AugmentConfig, TrainConfig
from hop_policy.train_data import data_of_episodes
from hop_policy.train_progress import TrainProgress

CONTRACT = PolicyContract()
M_PER_PX = 0.013  # at 0.7 m, 58.5 deg over 60 pixels
REACH_M = 0.6  # what a turn of joint 1 moves the palm by [m/rad]
AT = (np.arange(60) - 29.5) * M_PER_PX


def block_scene(x_m: float, y_m: float, ticks: int, rng: np.random.Generator) -> np.ndarray:
    """Depth (T, 60, 60) [m] of a noisy, tilted table with a 6 cm block, 8 cm high, at (x, y)."""
    covers = [np.clip((0.03 - np.abs(AT - at)) / M_PER_PX + 0.5, 0, 1) for at in (x_m, y_m)]
    depth = 0.75 + 0.15 * AT[:, None] - 0.08 * covers[1][:, None] * covers[0]
    noisy = depth + rng.normal(0, 0.004, (ticks, 60, 60))
    noisy[rng.random(noisy.shape) < 0.02] = 1.0
    return np.clip(noisy, 0.05, 1.0).astype(np.float32)


def episodes(count: int, ticks: int = 20) -> list[Episode]:
    """Joints 1 and 2 are to turn to where the block is; the posture tells nothing of it."""
    rng = np.random.default_rng(0)
    scaling, out = JointScaling(CONTRACT), []
    for i in range(count):
        x, y = rng.uniform(-0.05, 0.05, 2)
        target = np.zeros(23)
        target[:2] = x / REACH_M, y / REACH_M
        action = np.repeat(scaling.scale(target)[None], ticks, 0)
        posture = scaling.scale(rng.normal(0, 0.01, (ticks, 23)))
        out.append(Episode(f"e{i:03}", posture, block_scene(x, y, ticks, rng), action))
    return out


@pytest.mark.slow
def test_flatten_read_out_localises_a_block_to_under_a_centimetre(tmp_path: Path) -> None:
    encoder = EncoderConfig(channels=(16, 32, 64, 64), read_out="flatten")
    config = TrainConfig(
        model=PolicyConfig(layers=1, width=128, heads=4, context=2, encoder=encoder),
        augment=AugmentConfig(proprio_noise=0.0),
        segments=32,
        windows=1,
        whiten=True,
        loss_units="whitened",
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=50,
        max_steps=500,
        device="cpu",
    )
    data = data_of_episodes(episodes(100), CONTRACT, config)
    metrics = train(
        config,
        CONTRACT,
        data,
        tmp_path / "run",
        progress=TrainProgress(Console(file=io.StringIO())),
    )
    policy = Policy.load(tmp_path / "run", CONTRACT)
    rng = np.random.default_rng(1)
    errors_m = []
    for _ in range(40):
        x, y = rng.uniform(-0.045, 0.045, 2)
        policy.reset()
        posture = JointScaling(CONTRACT).scale(np.zeros((1, 23)))
        q = policy.act(Observation(posture, block_scene(x, y, 1, rng)))[0]
        errors_m.append(np.hypot(REACH_M * q[0] - x, REACH_M * q[1] - y))
    assert np.quantile(errors_m, 0.95) < 0.01
    units = metrics["units"]
    assert metrics["last_blind"][units] > 3 * metrics["last"][units], "vision matters"
