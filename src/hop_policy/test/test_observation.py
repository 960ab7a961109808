"""Facts about the observation transform."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop_core.embodiment import load_embodiment
from hop_core.errors import AlignmentError, ConfigError
from hop_policy.contract import Crop, DepthContract, PolicyContract
from hop_policy.observation import (
    CameraView,
    DepthPooling,
    JointScaling,
    overlap_weights,
)
from hop_policy.streams import ObservationBuilder

VIEW = CameraView(320, 180, 132.0, 132.0, 159.5, 89.5)
CLOSE = dict(rtol=0, atol=1e-6)


def pooling() -> DepthPooling:
    return DepthPooling(DepthContract(), DepthContract().crop(320, 180, 132.0, 132.0, 159.5, 89.5))


def images(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    depth = rng.integers(0, 1500, (n, 180, 320)).astype(np.uint16)
    depth[rng.random(depth.shape) < 0.1] = 65535
    return depth


def test_one_frame_and_a_batch_are_bit_equal() -> None:
    pool, builder = pooling(), ObservationBuilder(PolicyContract(), VIEW)
    q, depth = np.random.default_rng(1).normal(size=(7, 23)), images(7)
    proprio, vision = builder.proprio(q[:, :7], q[:, 7:]), pool(depth)
    for i in range(7):
        one = builder.observe({"arm": (0, q[i, :7]), "hand": (0, q[i, 7:]), "depth": (0, depth[i])})
        assert np.array_equal(one.proprio[0], proprio[i])
        assert np.array_equal(one.vision[0], vision[i])


def test_millimetres_and_metres_of_the_same_scene_are_bit_equal() -> None:
    pool, depth = pooling(), images(2)
    metres = depth.astype(np.float32) / 1000
    metres[depth == 0], metres[depth == 1], metres[depth == 65535] = np.nan, -np.inf, np.inf
    assert np.array_equal(pool(depth), pool(metres))


def test_pooling_is_the_area_weighted_mean_of_valid_pixels() -> None:
    """Against a brute-force mean over 8 x 8 sub-pixels of each pixel, 10 pixels to 8 bins."""
    contract = DepthContract(size_px=8, near_m=0.05, far_m=1.0)
    depth = np.random.default_rng(2).integers(0, 1200, (1, 10, 10)).astype(np.uint16)
    depth[depth < 300] = 0
    pooled = DepthPooling(contract, Crop(0, 0, 10, 10))(depth)[0]
    fine = np.kron(depth[0].astype(float), np.ones((8, 8)))
    tiles = fine.reshape(8, 10, 8, 10).swapaxes(1, 2).reshape(8, 8, 100)
    for i in range(8):
        for j in range(8):
            seen = np.clip(tiles[i, j][tiles[i, j] > 0], 50, 1000)
            assert pooled[i, j] == pytest.approx(seen.mean() / 1000 if len(seen) else 1.0, abs=1e-6)


def test_special_values() -> None:
    pooling = DepthPooling(DepthContract(size_px=8), Crop(0, 0, 16, 16))
    for value, wanted in ((0, 1.0), (1, 0.05), (20, 0.05), (500, 0.5), (2000, 1.0), (65535, 1.0)):
        np.testing.assert_allclose(pooling(np.full((1, 16, 16), value, np.uint16)), wanted, **CLOSE)
    half_known = np.zeros((1, 16, 16), np.uint16)
    half_known[:, :, ::2] = 400
    np.testing.assert_allclose(pooling(half_known), 0.4, **CLOSE)


@given(st.integers(8, 300), st.integers(8, 64))
def test_overlap_weights_share_every_pixel_out(pixels: int, bins: int) -> None:
    weights = overlap_weights(pixels, bins)
    assert len(set(weights.sum(0))) == 1, "every pixel counts the same"
    assert len(set(weights.sum(1))) == 1, "every bin is equally wide"


def test_crop_is_square_in_angle_and_the_same_for_other_resolutions() -> None:
    contract = DepthContract()
    assert contract.crop(320, 180, 132, 132, 159.5, 89.5) == Crop(16, 86, 148, 148)
    assert contract.crop(640, 360, 264, 264, 319.5, 179.5) == Crop(32, 172, 296, 296)
    with pytest.raises(ConfigError, match="does not fit"):
        contract.crop(320, 180, 267, 267, 159.5, 89.5)
    with pytest.raises(ConfigError, match="less than the 60 px"):
        contract.crop(80, 60, 33, 33, 39.5, 29.5)


def test_joints_are_scaled_as_the_embodiment_says() -> None:
    scaling, body = JointScaling(PolicyContract()), load_embodiment()
    q = np.random.default_rng(3).uniform(body.lower, body.upper, (5, 23))
    np.testing.assert_allclose(scaling.scale(q), body.scale(q), atol=1e-6)
    np.testing.assert_allclose(scaling.unscale(scaling.scale(q)), q, atol=1e-6)


def test_changed_resolution_or_type_is_refused() -> None:
    with pytest.raises(ConfigError, match="resolution has changed"):
        pooling()(np.zeros((1, 90, 160), np.uint16))
    with pytest.raises(ConfigError, match="uint16"):
        pooling()(np.zeros((1, 180, 320), np.float64))
    with pytest.raises(AlignmentError, match="160x90 but camera_info says 320x180"):
        ObservationBuilder(PolicyContract(), VIEW).depth(np.zeros((90, 160), np.uint16))
