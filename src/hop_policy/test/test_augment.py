"""How much each change of a training batch is, in its own unit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from hop_core.embodiment import ARM, HAND
from hop_policy.augment import Augmenter
from hop_policy.contract import PolicyContract
from hop_policy.optimise import learning_rate
from hop_policy.segments import SegmentBatch
from hop_policy.train_config import AugmentConfig, TrainConfig

CONTRACT = PolicyContract()
CLOUD = PolicyContract(vision="point_cloud")
STD = torch.linspace(0.1, 0.5, 23)


def batch(vision: torch.Tensor) -> SegmentBatch:
    """Segments (S, F) with this vision, all postures 0."""
    segments, frames = vision.shape[:2]
    still = torch.zeros(segments, frames, 23)
    return SegmentBatch(
        proprio=still,
        vision=vision,
        action=still,
        future=torch.zeros(segments, frames, 0, 23),
        inside=torch.arange(segments),
        valid=torch.ones(segments, frames, dtype=torch.bool),
        padded=False,
        counted=torch.tensor(segments * frames),
    )


def flat(depth_m: float, segments: int = 8) -> torch.Tensor:
    return torch.full((segments, 5, 60, 60), depth_m)


def changed(
    vision: torch.Tensor, contract: PolicyContract = CONTRACT, **values: float
) -> SegmentBatch:
    augment = Augmenter(AugmentConfig(**{"proprio_noise": 0.0, **values}), contract, STD, seed=1)
    return augment(batch(vision), step=3)


def test_the_papers_noise_is_in_policy_units_and_ours_in_deviations_of_each_joint() -> None:
    vision = flat(0.5, segments=800)[:, :, :1, :1].expand(-1, -1, 60, 60)
    paper = changed(vision, proprio_noise=0.1).proprio.flatten(0, 1).std(0)
    np.testing.assert_allclose(paper, np.full(23, 0.1), rtol=0.1)
    ours = changed(vision, arm_noise_std=0.5, hand_noise_std=0.3).proprio.flatten(0, 1).std(0)
    np.testing.assert_allclose(ours[ARM], 0.5 * STD[ARM], rtol=0.1)
    np.testing.assert_allclose(ours[HAND], 0.3 * STD[HAND], rtol=0.1)


def test_depth_noise_grows_with_the_square_of_the_range() -> None:
    for depth_m in (0.4, 0.8):
        noise = changed(flat(depth_m), depth_noise_m=0.01).vision - depth_m
        assert noise.std().item() == pytest.approx(0.01 * depth_m**2, rel=0.05)


def test_an_offset_is_one_for_a_segment_and_holes_read_far() -> None:
    offset = changed(flat(0.5), depth_offset_m=0.02).vision - 0.5
    assert torch.equal(offset, offset[:, :1, :1, :1].expand_as(offset))
    assert 0.005 < offset.abs().max() <= 0.02
    assert len(offset.unique()) == 8
    holed = changed(flat(0.5), depth_dropout=0.1).vision
    assert set(holed.unique().tolist()) == {0.5, CONTRACT.depth.far_m}
    assert (holed == CONTRACT.depth.far_m).float().mean().item() == pytest.approx(0.1, rel=0.1)


def test_a_shift_is_in_pixels_and_one_for_a_segment() -> None:
    vision = flat(0.9, segments=64)
    vision[:, :, :, 30:] = 0.4
    edges = (changed(vision, depth_shift_px=5.0).vision[:, :, 30] < 0.6).int().argmax(-1)
    assert torch.equal(edges, edges[:, :1].expand_as(edges))
    moved = edges[:, 0] - 30
    assert moved.abs().max() <= 5
    assert moved.abs().max() >= 4
    assert moved.min() < 0 < moved.max()


def test_points_are_moved_by_their_noise_and_by_nothing_else() -> None:
    points = torch.rand(8, 5, 100, 3)
    quiet = changed(points, CLOUD, depth_noise_m=0.1, depth_offset_m=0.1, table_shift_m=0.1)
    assert torch.equal(quiet.vision, points)
    assert quiet.table_motion is None
    noise = changed(points, CLOUD, cloud_noise_m=0.002).vision - points
    assert noise.std().item() == pytest.approx(0.002, rel=0.05)


def test_labels_and_what_is_valid_stay() -> None:
    before = batch(flat(0.5))
    labels = torch.rand_like(before.action)
    values = {"depth_noise_m": 0.01, "arm_noise_std": 0.5, "table_turn_rad": 0.1}
    augment = Augmenter(AugmentConfig(**values), CONTRACT, STD, seed=1)
    after = augment(replace(before, action=labels), step=0)
    assert torch.equal(after.action, labels)
    assert torch.equal(after.valid, before.valid)


def test_a_learning_rate_warms_up_and_falls_to_a_tenth() -> None:
    config = TrainConfig(learning_rate=1e-3, warmup_steps=10, schedule="cosine", max_steps=100)
    assert learning_rate(config, 0, 0.0) == pytest.approx(1e-4)
    assert learning_rate(config, 9, 0.0) == pytest.approx(1e-3)
    assert learning_rate(config, 50, 0.5) == pytest.approx(0.55e-3)
    assert learning_rate(config, 100, 1.0) == pytest.approx(1e-4)
    assert learning_rate(config, 200, 1.3) == pytest.approx(1e-4)
    paper = TrainConfig(learning_rate=1e-4, warmup_steps=0, max_steps=100)
    assert {learning_rate(paper, step, step / 100) for step in range(101)} == {1e-4}
