"""Counting the hand's sets: what is late is not missing, what is missing is counted, bursts are
skipped."""

import pytest

from hop_drivers.position_sets import SetClock

MS = 1_000_000


def feed(clock, times_ms):
    return [clock.add(round(t * MS)) for t in times_ms]


def test_a_steady_stream_misses_nothing():
    clock = SetClock(0.003)
    gaps = feed(clock, [3 * k + (0.4 if k % 3 else 0.0) for k in range(100)])
    assert clock.missing == 0
    assert None not in gaps


def test_lost_sets_are_missing():
    clock = SetClock(0.003)
    feed(clock, [0, 3, 12, 15])
    assert clock.missing == 2


def test_sets_delayed_by_a_stall_are_not_missing_and_not_answered():
    clock = SetClock(0.003)
    gaps = feed(clock, [0, 3, 18.0, 18.1, 18.2, 18.3, 18.4, 21])
    assert clock.missing == 0
    assert clock.bursts == 4
    assert gaps[3:7] == [None] * 4


def test_the_longest_step_for_the_filters_is_30_ms():
    clock = SetClock(0.003)
    assert feed(clock, [0, 500])[1] == pytest.approx(0.03)


def test_after_a_stall_others_may_wait_and_those_that_do_are_not_missing():
    clock = SetClock(0.003)
    feed(clock, [0, 3])
    assert not clock.stalled
    feed(clock, [18])
    assert clock.stalled
    clock.skip(4)
    assert (clock.missing, clock.bursts, clock.sets) == (0, 4, 7)
    feed(clock, [21])
    assert not clock.stalled
