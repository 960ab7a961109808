"""Facts about episodes and segment batches."""

from __future__ import annotations

import zlib
from collections import Counter

import numpy as np
import pytest
import torch

from hop_core.errors import BagError, ConfigError
from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode, split_episodes, store_episodes
from hop_policy.frame_rows import Int16Rows
from hop_policy.frame_store import SegmentSampler
from hop_policy.segments import Segmenting, Share

DEPTH, CLOUD = PolicyContract(), PolicyContract(vision="point_cloud")


def episode(name: str, ticks: int, contract: PolicyContract = CLOUD, group: str = "") -> Episode:
    """Row t of proprioception holds the hash of (name, t), so that rows can be told apart."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    proprio = rng.normal(size=(ticks, 23)).astype(np.float32)
    vision = rng.uniform(0.05, 1.0, (ticks, *contract.vision_shape)).astype(np.float32)
    return Episode(name, proprio, vision, proprio + 1, group)


def test_windows_hold_the_ticks_that_they_should() -> None:
    one, two = episode("a", 9), episode("b", 30)
    store = store_episodes([one, two], CLOUD)
    cut = Segmenting(context=4, windows=3, stride=2)
    # Ends at ticks 1, 3, 5 of episode a; 28, 30, 32 of b, of which the last two lie outside.
    batch = store.segments(np.array([0, 1]), np.array([1, 28]), cut)
    windows, labels = cut.unfold(batch.proprio), cut.unfold(batch.action)
    assert windows.shape == (6, 4, 23)
    assert batch.inside.tolist() == [0, 1, 2, 3]
    assert batch.valid.int().tolist() == [[0, 0, 1, 1], [1] * 4, [1] * 4, [1] * 4]
    assert batch.padded
    assert batch.counted.item() == 14
    np.testing.assert_array_equal(windows[0, 2:], one.proprio[:2])
    np.testing.assert_array_equal(windows[2], one.proprio[2:6])
    np.testing.assert_array_equal(windows[3], two.proprio[25:29])
    np.testing.assert_array_equal(labels[3], two.action[25:29])
    np.testing.assert_array_equal(cut.unfold(batch.vision)[2], one.vision[2:6])


def test_every_window_is_equally_likely() -> None:
    lengths = (5, 12)
    store = store_episodes([episode("a", 5), episode("b", 12)], CLOUD)
    cut = Segmenting(context=4, windows=3, stride=2)
    sampler = SegmentSampler(store, cut, segments=500, seed=0)
    ends = torch.arange(17)
    seen: Counter[int] = Counter()
    for step in range(20):
        batch = sampler.batch(step)
        last = cut.unfold(batch.proprio)[batch.inside, -1]
        seen.update(torch.cdist(last, store.proprio(torch.arange(17))).argmin(1).tolist())
    counts = np.array([seen[int(i)] for i in ends])
    assert len(counts) == sum(lengths)
    assert counts.min() > 0.85 * counts.mean()
    assert counts.max() < 1.15 * counts.mean()


def test_a_batch_depends_on_seed_and_step_alone() -> None:
    store = store_episodes([episode("a", 20), episode("b", 20)], CLOUD)
    cut = Segmenting(8, 4, 2)
    one, again = (SegmentSampler(store, cut, 4, seed=3) for _ in range(2))
    again.batch(0)
    assert torch.equal(one.batch(7).proprio, again.batch(7).proprio)
    assert not torch.equal(one.batch(7).proprio, one.batch(8).proprio)
    other = SegmentSampler(store, cut, 4, seed=4)
    assert not torch.equal(one.batch(7).proprio, other.batch(7).proprio)


def test_shares_make_up_the_whole_batch() -> None:
    store = store_episodes([episode("a", 7), episode("b", 20)], CLOUD)
    sampler = SegmentSampler(store, Segmenting(8, 4, 2), segments=6, seed=3)
    whole, parts = sampler.batch(7), [sampler.batch(7, Share(i, 3)) for i in range(3)]
    for name in ("proprio", "vision", "action", "valid"):
        assert torch.equal(torch.cat([getattr(p, name) for p in parts]), getattr(whole, name))
    assert whole.counted == whole.valid.sum()
    assert all(p.counted == pytest.approx(whole.counted.item() / 3) for p in parts)


def test_a_batch_of_episodes_shorter_than_the_stride_is_never_empty() -> None:
    store = store_episodes([episode(f"e{i}", 4) for i in range(3)], CLOUD)
    sampler = SegmentSampler(store, Segmenting(4, 2, 50), segments=1, seed=0)
    batches = [sampler.batch(step) for step in range(50)]
    assert min(len(batch.inside) for batch in batches) >= 1
    assert min(batch.counted.item() for batch in batches) >= 1


def test_episodes_that_are_all_shorter_than_a_history_are_refused() -> None:
    store = store_episodes([episode("a", 3), episode("b", 2)], CLOUD)
    with pytest.raises(ConfigError, match="the longest of 2 training episodes has 3 ticks"):
        SegmentSampler(store, Segmenting(4, 2, 1), segments=1, seed=0)


def test_16_bit_rows_are_off_by_half_a_step_at_most() -> None:
    values = np.random.default_rng(0).uniform(-2, 2, (1000, 23)).astype(np.float32)
    values[0, :2] = -2, 2
    rows = Int16Rows(torch.from_numpy(Int16Rows.pack(values, -2, 2)), -2, 2)
    restored = rows(torch.arange(1000)).numpy()
    assert np.abs(restored - values).max() < 0.5 * 4 / 65534 + 1e-6
    with pytest.raises(ValueError, match="-2 to 2"):
        Int16Rows.pack(values * 1.1, -2, 2)


def test_stored_depth_is_within_10_micrometres() -> None:
    source = episode("a", 6, DEPTH)
    source.vision[0, 0] = 1.0
    store = store_episodes([source], DEPTH)
    restored = store.vision(torch.arange(6)).numpy()
    np.testing.assert_allclose(restored, source.vision, atol=1e-5)
    assert restored.max() <= 1.0


def test_split_keeps_groups_together_and_repeats() -> None:
    episodes = [episode(f"e{i}", 3, group=f"track{i // 4}") for i in range(20)]
    train, val = split_episodes(episodes, 0.2, seed=1)
    assert {e.group for e in train}.isdisjoint({e.group for e in val})
    assert len(train) + len(val) == 20
    assert len(val) == 4
    again = split_episodes(episodes[::-1], 0.2, seed=1)[1]
    assert {e.name for e in again} == {e.name for e in val}
    with pytest.raises(BagError, match="at least 2"):
        split_episodes(episodes[:4], 0.5, seed=1)


def test_broken_episodes_are_named() -> None:
    good = episode("good", 5)
    bad = Episode("bad", good.proprio, good.vision[:4], good.action)
    with pytest.raises(BagError, match="bad: vision must be"):
        store_episodes([good, bad], CLOUD)
    action = good.action.copy()
    action[2, 3] = np.nan
    with pytest.raises(BagError, match="worse: action holds NaN"):
        store_episodes([Episode("worse", good.proprio, good.vision, action)], CLOUD)
    with pytest.raises(BagError, match="no episode"):
        store_episodes([], CLOUD)


def test_whitening_statistics_have_a_floor() -> None:
    still = episode("still", 50)
    still.proprio[:, 5] = 0.25
    floor = torch.full((23,), 0.01)
    statistics = store_episodes([still], CLOUD).statistics(floor)
    assert statistics["proprio_std"][5] == pytest.approx(0.01)
    assert statistics["proprio_mean"][5] == pytest.approx(0.25)
    np.testing.assert_allclose(
        statistics["action_std"][:5], still.action[:, :5].std(0, ddof=1), rtol=1e-4
    )
    assert statistics["vision_mean"].shape == (3,)


def test_foresight_brings_later_labels_and_stops_at_the_episodes_end():
    episode = Episode(
        "one",
        np.full((6, 23), 0.5, np.float32),
        np.zeros((6, 60, 60), np.float32),
        np.repeat(np.arange(6, dtype=np.float32)[:, None], 23, axis=1),
    )
    store = store_episodes([episode], PolicyContract())
    batch = store.segments(np.array([0]), np.array([3]), Segmenting(2, 1, 1, (1, 10)))
    assert batch.action[0, :, 0].tolist() == [2.0, 3.0]
    assert batch.future[0, :, :, 0].tolist() == [[2.5, 4.5], [3.5, 4.5]]
