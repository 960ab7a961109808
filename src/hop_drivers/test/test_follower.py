"""The follower starts where the robot is, follows in time, and stops when targets do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hop_core.limiter import MotionLimits
from hop_core.safety_config import load_safety
from hop_drivers.follower import Follower, Phase
from hop_drivers.target import Target

MS = 1_000_000
DT = 1.0 / 120.0
DT_NS = round(DT * 1e9)
WATCHDOG = load_safety().watchdog
LIMIT = MotionLimits(np.full(2, 3.0), np.full(2, 20.0))


def make():
    follower = Follower(np.full(2, -1.0), np.full(2, 1.0), LIMIT, WATCHDOG)
    follower.arm()
    return follower


def target(q, due_ns):
    return Target("id", due_ns - 50 * MS, (due_ns,), np.array([q], dtype=float))


def run(follower, start_ns, seconds, measured=(0.0, 0.0), offer=None):
    now, out = start_ns, []
    while now < start_ns + seconds * 1e9:
        if offer is not None and (now - start_ns) % (50 * MS) < DT_NS:
            follower.offer(target(offer, now + 50 * MS))
        out.append(follower.step(now, np.array(measured), DT))
        now += DT_NS
    return now, np.array(out)


def test_the_first_command_is_the_measured_pose():
    follower = make()
    q = follower.step(1000, np.array([0.3, -0.2]), DT)
    np.testing.assert_array_equal(q, [0.3, -0.2])
    assert follower.phase is Phase.WAITING


def test_a_target_is_reached_and_kept():
    _, q = run(make(), 0, 1.0, offer=(0.5, -0.5))
    np.testing.assert_allclose(q[-1], [0.5, -0.5], atol=1e-6)


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_whatever_the_targets_commands_keep_position_speed_and_acceleration(goals):
    follower, now, q = make(), 0, []
    for goal in goals:
        now, part = run(follower, now, 0.2, offer=goal)
        q.append(part)
    q = np.concatenate(q)
    speed = np.diff(q, axis=0) / DT
    assert (
        np.abs(q).max() <= 1.0 + 1e-9
    )  # a target that turns right at the limit; the supervisor keeps 50 times that
    assert np.abs(speed).max() <= 3.0 + 1e-6
    assert np.abs(np.diff(speed, axis=0)).max() <= 20.0 * DT * (1 + 1e-3) + 1e-6


def test_stale_targets_end_in_a_hold_at_the_last_command_then_expire():
    follower = make()
    now, _ = run(follower, 0, 0.5, offer=(0.5, 0.5))
    now, q = run(follower, now, WATCHDOG.target_stale_s + 0.5)
    assert follower.phase is Phase.STALE
    np.testing.assert_allclose(q[-1], q[-20], atol=1e-6)
    run(follower, now, WATCHDOG.hold_disarm_s)
    assert follower.phase is Phase.EXPIRED


def test_fresh_targets_end_a_hold():
    follower = make()
    now, _ = run(follower, 0, 0.2, offer=(0.1, 0.1))
    now, _ = run(follower, now, 0.3)
    assert follower.phase is Phase.STALE
    run(follower, now, 0.1, offer=(0.1, 0.1))
    assert follower.phase is Phase.FOLLOWING


def test_without_any_target_it_expires_after_the_arming_time():
    follower = make()
    _now, _ = run(follower, 0, 1.0)
    assert follower.phase is Phase.WAITING
    follower.step(round((WATCHDOG.arming_s + 0.1) * 1e9), np.zeros(2), DT)
    assert follower.phase is Phase.EXPIRED


def test_after_a_gap_it_starts_again_from_the_measured_pose():
    follower = make()
    now, _ = run(follower, 0, 0.5, offer=(0.8, 0.8))
    q = follower.step(now + 200 * MS, np.array([0.3, 0.3]), DT)
    assert follower.restarts == 1
    assert np.abs(q - 0.3).max() <= 20.0 * DT * DT * (1 + 1e-6)


def test_a_target_of_an_earlier_arming_is_forgotten():
    follower = make()
    follower.offer(target((1.0, 1.0), 50 * MS))
    follower.arm()
    follower.step(0, np.zeros(2), DT)
    assert follower.phase is Phase.WAITING


def test_a_chunk_is_followed_point_by_point():
    follower = make()
    follower.step(0, np.zeros(2), DT)
    due = (50 * MS, 100 * MS)
    follower.offer(Target("id", 0, due, np.array([[0.02, 0.0], [0.0, 0.02]])))
    _now, q = run(follower, DT_NS, 0.3)
    assert q[:, 0].max() > 0.005
    np.testing.assert_allclose(q[-1], [0.0, 0.02], atol=1e-6)


def test_a_chunk_goes_on_after_a_gap_where_time_has_got_to():
    follower = make()
    follower.step(0, np.zeros(2), DT)
    due = tuple(50 * MS * k for k in range(1, 9))
    follower.offer(Target("id", 0, due, np.array([[0.01 * k, 0.0] for k in range(1, 9)])))
    now, q = run(follower, DT_NS, 0.07)
    assert q[-1, 0] > 0.012  # beyond the first point
    _, rest = run(follower, now + 50 * MS, 0.02, measured=q[-1])
    assert follower.restarts == 1
    assert np.diff(rest[:, 0], prepend=q[-1, 0]).min() >= 0.0
    assert rest[-1, 0] > q[-1, 0]
    assert np.diff(rest[:, 0]).max() <= 1.2 * 0.2 * DT  # a pause, not made up for


def test_limits_are_the_devices_and_never_exceeded_by_a_measured_pose_outside():
    follower = make()
    q = follower.step(0, np.array([1.2, 0.0]), DT)
    assert q[0] == pytest.approx(1.2, abs=20.0 * DT * DT)  # eased back, never snapped


@pytest.mark.parametrize("speed", [0.1, 0.6])
def test_a_steady_motion_stays_steady_though_targets_arrive_late_and_unevenly(speed):
    follower, rng = make(), np.random.default_rng(0)
    arrivals = [(k * 50 + 20 + rng.uniform(-8, 8), k) for k in range(1, 30)]
    commands, now = [], 0
    while now < 1450 * MS:
        while arrivals and arrivals[0][0] * MS <= now:
            _, k = arrivals.pop(0)
            follower.offer(target([speed * (k + 1) * 0.05 - 0.5] * 2, (k + 1) * 50 * MS))
        commands.append(follower.step(now, np.full(2, -0.5), DT)[0])
        now += DT_NS
    rate = np.diff(commands)[60:] / DT  # the first half second catches up with the start
    assert rate.max() <= 1.4 * speed
    assert np.mean(rate < 0.1 * speed) <= 0.1
