"""Jerk of known motions, gaps in them, and what is counted of the filter."""

import numpy as np
import pytest

from hop_sim.motion_record import Motion, MotionRecord, pooled_jerk, rms_jerk

TICK_NS = 50_000_000


def cubic(ticks: int, arm: float, hand: float) -> np.ndarray:
    """Return (ticks, 23) joint angles whose third derivative is `arm`, `hand` [rad/s^3]."""
    t = (np.arange(ticks) * 0.05)[:, None]
    return t**3 / 6 * np.concatenate([np.full(7, arm), np.full(16, hand)])


def record(stamps: list[int], q: np.ndarray) -> Motion:
    kept = MotionRecord(TICK_NS)
    for stamp, target in zip(stamps, q, strict=True):
        kept.add(stamp, target, False, ())
    return kept.motion()


def test_a_cubic_has_its_third_derivative_as_jerk() -> None:
    assert rms_jerk(cubic(20, 7.0, 7.0), 0.05) == pytest.approx(7.0)
    motion = record([k * TICK_NS for k in range(20)], cubic(20, 7.0, 3.0))
    assert (motion.arm_jerk_rad_s3, motion.hand_jerk_rad_s3) == pytest.approx((7.0, 3.0))


def test_a_gap_is_no_jump() -> None:
    """After a missed tick the series begins anew: what the robot did meanwhile is not known."""
    q = cubic(20, 7.0, 3.0)
    stamps = [k * TICK_NS for k in range(20)]
    motion = record(stamps[:8] + stamps[10:], np.concatenate([q[:8], q[10:] + 1.0]))
    assert (motion.arm_jerk_rad_s3, motion.hand_jerk_rad_s3) == pytest.approx((7.0, 3.0))


def test_three_targets_have_no_jerk() -> None:
    assert record([0, TICK_NS, 2 * TICK_NS], np.zeros((3, 23))) == Motion(3, 0, {})
    assert record([], np.zeros((0, 23))) == Motion()


def test_changes_and_their_reasons_are_counted() -> None:
    kept = MotionRecord(TICK_NS)
    kept.add(0, np.zeros(23), True, ("velocity", "table"))
    kept.add(TICK_NS, np.zeros(23), True, ("table",))
    kept.add(2 * TICK_NS, np.zeros(23), False, ())
    motion = kept.motion()
    assert (motion.targets, motion.changed) == (3, 2)
    assert motion.clamps == {"velocity": 1, "table": 2}
    kept.add(3 * TICK_NS, np.zeros(23), True, None)
    assert kept.motion().clamps is None  # one reason that is not known makes the counts wrong


def test_long_episodes_weigh_more() -> None:
    assert pooled_jerk([(1.0, 103), (3.0, 28), (None, 2)]) == pytest.approx(np.sqrt(325 / 125))
    assert pooled_jerk([(None, 3)]) is None
