"""Freshness of streams, joints by name, jogging, and the lock of a single instance."""

import os

import numpy as np
import pytest

from hop_core.embodiment import ARM, ARM_JOINTS, HAND_JOINTS, load_embodiment
from hop_core.errors import DeviceError, ModelError
from hop_core.single_instance import SingleInstance
from hop_drivers.feedback import Feedback, Stream
from hop_drivers.jog import Jog

S = 1_000_000_000


def test_a_gap_starts_the_fresh_period_anew():
    stream = Stream()
    for k in range(11):
        stream.arrived(k * S // 10)
    assert stream.fresh_s(S) == pytest.approx(1.0)
    stream.arrived(2 * S)
    assert stream.fresh_s(2 * S) == 0.0
    assert stream.fresh_s(2 * S + S // 2) == 0.0  # nothing since


def test_a_stream_that_never_came_is_infinitely_old():
    assert Stream().age_s(5 * S) == float("inf")


def test_joints_arrive_by_name_in_any_order():
    feedback = Feedback(("xarm", "allegro"))
    feedback.joints("xarm", list(reversed(ARM_JOINTS)), np.arange(7.0), S)
    np.testing.assert_array_equal(feedback.q[ARM], np.arange(7.0)[::-1])
    with pytest.raises(ModelError):
        feedback.joints("xarm", list(HAND_JOINTS), np.zeros(16), S)


@pytest.mark.parametrize("position", [np.zeros(6), np.full(7, np.nan)], ids=["short", "NaN"])
def test_a_damaged_joint_state_is_refused_and_changes_nothing(position):
    feedback = Feedback(("xarm", "allegro"))
    with pytest.raises(ModelError, match="not finite"):
        feedback.joints("xarm", list(ARM_JOINTS), position, S)
    assert not feedback.q.any()
    assert feedback.streams["xarm"].last_ns is None


def test_a_jog_step_moves_one_joint_inside_its_limits():
    embodiment = load_embodiment()
    jog = Jog(embodiment)
    jog.move(1, embodiment.home)
    assert jog.q is None
    jog.start(embodiment.home)
    jog.choose(-1)
    assert jog.joint == "allegro_thumb_3"
    for _ in range(200):
        jog.move(1, jog.q)
    np.testing.assert_array_equal(jog.q[:-1], embodiment.home[:-1])
    assert jog.q[-1] == embodiment.upper[-1]


def test_what_a_bound_holds_back_is_not_made_up_for():
    """After any presses against it the way back is one; another joint leaves it where it is."""
    embodiment = load_embodiment()
    jog, held = Jog(embodiment), embodiment.home
    jog.start(held)
    for presses in range(1, 10):
        for _ in range(presses):
            jog.move(1, held)
        assert 0.0 < jog.q[0] - held[0] <= 2 * jog.step_rad + 1e-9
        jog.move(-1, held)
        assert jog.q[0] < held[0]
    jog.move(1, held)
    jog.choose(1)
    jog.move(1, held)
    assert (jog.q - held).nonzero()[0].tolist() == [1]


def test_a_second_instance_is_refused_until_the_first_lets_go():
    name = f"test/{os.getpid()}"
    first = SingleInstance(name, "a thing")
    with pytest.raises(DeviceError, match="a thing runs already"):
        SingleInstance(name, "a thing")
    first.release()
    SingleInstance(name, "a thing").release()
