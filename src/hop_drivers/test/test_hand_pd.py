"""The hand's PD: gains and caps of the vendor, filters of 30 Hz, gains that rise within a second,
batches that agree."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hop_core.embodiment import HAND, load_embodiment
from hop_drivers.hand_pd import HandPd

E = load_embodiment()
DT = E.rates.hand_period_s
HOME = E.home[HAND]


def run(pd, q, target, steps):
    for _ in range(steps):
        pd.observe(q, DT)
        torque = pd.step(target, DT)
    return torque


def test_full_gain_is_the_vendors_kp_after_the_ramp():
    pd = HandPd(E.hand)
    pd.reset(HOME)
    torque = run(pd, HOME, HOME + 0.1, round(1.1 * E.hand.ramp_s / DT))
    np.testing.assert_allclose(torque, 0.1 * np.array(E.hand.kp), atol=1e-9)


def test_the_first_torque_after_enabling_is_a_thousandth_of_the_full_one():
    pd = HandPd(E.hand)
    pd.reset(HOME)
    torque = run(pd, HOME, HOME + 0.1, 1)
    np.testing.assert_allclose(torque, 0.1 * np.array(E.hand.kp) * DT / E.hand.ramp_s, rtol=1e-6)


def test_disabling_starts_the_ramp_anew():
    pd = HandPd(E.hand)
    pd.reset(HOME)
    run(pd, HOME, HOME + 0.1, 400)
    pd.disable()
    assert np.abs(run(pd, HOME, HOME + 0.1, 1)).max() < 1e-3


@given(st.lists(st.floats(-100, 100), min_size=16, max_size=16), st.floats(0.1, 1.0))
def test_no_torque_exceeds_its_cap(target, scale):
    pd = HandPd(E.hand, torque_scale=scale)
    pd.reset(HOME)
    torque = run(pd, HOME, np.array(target), 400)
    assert (np.abs(torque) <= np.array(E.hand.cap) * scale + 1e-12).all()
    assert (np.abs(pd.counts(torque)) <= 675).all()  # the largest cap of the data sheet


def test_a_step_in_position_passes_the_filter_with_its_30_hz_time_constant():
    pd = HandPd(E.hand)
    pd.reset(np.zeros(16))
    tau = 1.0 / (2.0 * np.pi * 30.0)
    for _ in range(1000):
        pd.observe(np.ones(16), tau / 1000)
    np.testing.assert_allclose(pd.position, 1.0 - np.exp(-1.0), rtol=2e-3)


def test_a_constant_speed_is_measured_as_such():
    pd = HandPd(E.hand)
    pd.reset(np.zeros(16))
    for k in range(200):
        pd.observe(np.full(16, 0.5 * DT * (k + 1)), DT)
    np.testing.assert_allclose(pd.velocity, 0.5, rtol=1e-3)


def test_a_batch_is_the_same_as_one_by_one():
    rng = np.random.default_rng(0)
    q, target = rng.normal(size=(5, 40, 16)), rng.normal(size=(5, 16))
    batch, singles = HandPd(E.hand, batch=(5,)), [HandPd(E.hand) for _ in range(5)]
    batch.reset(q[:, 0])
    for i, pd in enumerate(singles):
        pd.reset(q[i, 0])
    for k in range(40):
        batch.observe(q[:, k], DT)
        together = batch.step(target, DT)
        for i, pd in enumerate(singles):
            pd.observe(q[i, k], DT)
            np.testing.assert_array_equal(together[i], pd.step(target[i], DT))


def test_a_masked_reset_leaves_the_other_hands_alone():
    pd = HandPd(E.hand, batch=(2,))
    pd.reset(np.zeros((2, 16)))
    for _ in range(10):
        pd.observe(np.ones((2, 16)), DT)
    kept = pd.position[1].copy()
    pd.reset(np.full((2, 16), 7.0), where=np.array([True, False]))
    assert (pd.position[0] == 7.0).all()
    np.testing.assert_array_equal(pd.position[1], kept)
