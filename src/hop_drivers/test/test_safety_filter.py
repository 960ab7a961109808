"""The safety filter: whatever a source asks for, what comes out keeps every bound, and each clamp
is counted by reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hop_core.embodiment import ARM, HAND, load_embodiment
from hop_core.kinematics import Kinematics
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_drivers.safety_filter import SafetyFilter
from hop_drivers.target import RefusedTarget

E = load_embodiment()
SAFETY = load_safety()
ROBOT = load_robot("twin")
KINEMATICS = Kinematics()
DT = 0.05
MS = 1_000_000


def make(q=E.home):
    safety_filter = SafetyFilter(E, SAFETY, ROBOT, KINEMATICS)
    safety_filter.reset(np.array(q))
    return safety_filter


def table_depth(q):
    lowest = KINEMATICS.clearance(q).lowest_m
    return ROBOT.table.center_m[2] + SAFETY.distance.table_m - lowest


def go(safety_filter, goal, steps):
    return np.array([safety_filter.step(goal, DT).q for _ in range(steps)])


@given(
    st.lists(
        st.lists(st.floats(-8.0, 8.0), min_size=23, max_size=23).map(np.array),
        min_size=3,
        max_size=12,
    )
)
@settings(max_examples=30, deadline=None)
def test_whatever_is_asked_every_bound_is_kept(goals):
    safety_filter = make()
    limits = SAFETY.motion_limits(E)
    lower, upper = SAFETY.position_limits(E)
    q, qd, cut = E.home.copy(), np.zeros(23), False
    for goal in goals:
        step = safety_filter.step(goal, DT)
        new, cut_before = step.q, cut
        speed = (new - q) / DT
        # What cuts a path may brake harder than the joints' own bound, and ends so.
        cut = bool({"table", "workspace", "self_collision", "tcp_speed"} & set(step.clamped))
        assert (np.abs(speed) <= limits.velocity * (1 + 1e-6) + 1e-9).all()
        assert (new >= np.minimum(lower, E.home) - 1e-9).all()
        assert (new <= np.maximum(upper, E.home) + 1e-9).all()
        if not (cut or cut_before):
            change = np.abs(speed - qd)
            assert (change <= limits.acceleration * DT * (1 + 1e-6) + 1e-9).all()
        palm = KINEMATICS.site_pose(new, "palm")[:3, 3]
        assert table_depth(new) <= max(0.0, table_depth(q)) + 1e-6
        assert (palm >= np.array(ROBOT.workspace.lower_m) - 1e-6).all()
        assert (palm <= np.array(ROBOT.workspace.upper_m) + 1e-6).all()
        assert KINEMATICS.clearance(new).self_m >= SAFETY.distance.self_m - 1e-6
        q, qd = new, speed


def test_a_reachable_goal_is_reached_unclamped_at_the_end():
    safety_filter = make()
    goal = E.home + 0.1 * np.where(E.home + 0.1 < E.upper, 1.0, 0.0)
    path = go(safety_filter, goal, 40)
    np.testing.assert_allclose(path[-1], goal, atol=1e-6)
    assert safety_filter.step(goal, DT).clamped == ()


def test_a_stream_within_the_bounds_passes_and_its_sudden_end_is_braked():
    safety_filter = make()
    speed = np.minimum(np.arange(1, 21) * 0.5, 1.2)  # [rad/s], twice what one step can brake
    goals = np.tile(E.home, (20, 1))
    goals[:, 6] += np.cumsum(speed) * DT
    for goal in goals:
        step = safety_filter.step(goal, DT)
        assert not step.clamped
        assert np.array_equal(step.q, goal)
    after = go(safety_filter, goals[-1], 20)
    beyond = after[:, 6].max() - goals[-1, 6]
    brake = SAFETY.motion_limits(E).acceleration[6] * DT
    assert 0.0 < beyond <= 1.2**2 / (2.0 * brake / DT) + 1e-9
    assert after[-1] == pytest.approx(goals[-1])


def test_the_palm_stops_above_the_table_and_can_leave_again():
    safety_filter = make()
    down = E.home.copy()
    down[1] += 0.8  # shoulder forward and down
    path = go(safety_filter, down, 60)
    assert safety_filter.clamps["table"] + safety_filter.clamps["workspace"] > 0
    assert table_depth(path[-1]) <= 1e-9
    back = go(safety_filter, E.home, 60)
    np.testing.assert_allclose(back[-1], E.home, atol=1e-3)


def test_the_palm_stops_before_the_arm_itself():
    safety_filter = make()
    goal = E.home.copy()
    goal[5] = 3.0  # the wrist bends the hand back onto the forearm
    path = go(safety_filter, goal, 60)
    assert safety_filter.clamps["self_collision"] > 0
    nearest = min(KINEMATICS.clearance(q).self_m for q in path)
    assert SAFETY.distance.self_m - 1e-6 <= nearest < SAFETY.distance.self_m + 0.01


def test_fingers_still_move_while_the_arm_is_blocked():
    safety_filter = make()
    goal = E.home.copy()
    goal[1] += 0.8
    go(safety_filter, goal, 60)
    goal[HAND.start + 1] = 1.2
    assert go(safety_filter, goal, 40)[-1][HAND.start + 1] == pytest.approx(1.2, abs=1e-3)


def test_a_posture_that_is_too_near_may_be_left_but_not_made_worse():
    low = E.home.copy()
    while table_depth(low) < 0.02:
        low[1] += 0.01
    safety_filter = make(low)
    deeper = low.copy()
    deeper[1] += 0.3
    path = go(safety_filter, deeper, 20)
    assert table_depth(path[-1]) <= table_depth(low) + 1e-6
    up = low.copy()
    up[1] -= 0.3
    assert table_depth(go(safety_filter, up, 40)[-1]) < 0.0


def test_position_limits_keep_their_margin():
    safety_filter = make()
    goal = E.home.copy()
    goal[0] = 7.0
    safety_filter.step(goal, DT)
    assert safety_filter.clamps["position"] == 1


def test_palm_speed_stays_below_nine_tenths_of_a_metre_per_second():
    safety_filter = make()
    goal = E.home.copy()
    goal[0] = 1.2
    q = go(safety_filter, goal, 12)
    palm = np.array([KINEMATICS.site_pose(row, "palm")[:3, 3] for row in q])
    speed = np.linalg.norm(np.diff(palm, axis=0), axis=1) / DT
    assert speed.max() <= 0.9 * 1.02
    assert speed.max() > 0.3


def test_half_speed_is_half_the_speed():
    full, half = make(), make()
    half.set_speed(0.5)
    goal = E.home.copy()
    goal[0] = 1.2
    fast, slow = (np.diff(go(each, goal, 20)[:, 0]).max() for each in (full, half))
    assert slow == pytest.approx(0.5 * fast, rel=0.02)


@pytest.mark.parametrize("bad", [np.full(23, np.nan), np.full(23, np.inf), np.zeros(22)])
def test_nonsense_is_refused_and_changes_nothing(bad):
    safety_filter = make()
    with pytest.raises(RefusedTarget):
        safety_filter.step(bad, DT)
    np.testing.assert_array_equal(safety_filter.q, E.home)


def test_a_bad_point_refuses_the_whole_chunk():
    safety_filter = make()
    goals = np.tile(E.home + 0.01, (3, 1))
    goals[2, 5] = np.nan
    with pytest.raises(RefusedTarget):
        safety_filter.follow(0, (MS, 2 * MS, 3 * MS), goals)
    np.testing.assert_array_equal(safety_filter.q, E.home)


def test_a_first_target_far_away_is_refused_by_name_and_distance():
    safety_filter = make()
    goal = E.home.copy()
    goal[2] += 1.0
    with pytest.raises(RefusedTarget, match=r"joint3 would start 1\.00 rad away"):
        safety_filter.check_first(goal)
    goal[2] = E.home[2] + 0.1
    safety_filter.check_first(goal)


def test_a_new_chunk_replaces_the_rest_of_the_old_one():
    chunked, single = make(), make()
    goal = E.home.copy()
    goal[ARM] += 0.3
    first = [50 * MS * (k + 1) for k in range(4)]
    chunked.follow(0, first, np.tile(goal, (4, 1)))
    single.follow(0, first[:1], goal[None])
    back, _ = chunked.follow(first[0], first[1:3], np.tile(E.home, (2, 1)))
    expected, _ = single.follow(first[0], first[1:3], np.tile(E.home, (2, 1)))
    np.testing.assert_allclose(back, expected, atol=1e-12)


def test_a_chunk_of_the_wrong_size_leaves_the_plan_as_it_was():
    refusing, undisturbed = make(), make()
    first = [50 * MS * (k + 1) for k in range(4)]
    goals = np.tile(E.home, (4, 1))
    goals[:, 0] += [0.02, 0.05, 0.08, 0.10]
    for safety_filter in (refusing, undisturbed):
        safety_filter.follow(0, first, goals)
    with pytest.raises(RefusedTarget, match=r"shape \(22,\)"):
        refusing.follow(0, first[1:], goals[1:, :22])
    np.testing.assert_array_equal(refusing.q, undisturbed.q)
    again, expected = (
        each.follow(200 * MS, [250 * MS], goals[:1]) for each in (refusing, undisturbed)
    )
    np.testing.assert_array_equal(again[0], expected[0])


@pytest.mark.parametrize("points", [63, 64, 100])
def test_a_new_chunk_never_jumps_however_long_the_old_one_was(points):
    """Of a longer chunk the point from which the next one goes on would be forgotten."""
    safety_filter, step_ns = make(), 20_000_000
    due = [step_ns * (k + 1) for k in range(points)]
    goals = np.tile(E.home, (points, 1))
    goals[:, 0] += np.cumsum(np.minimum(np.arange(points) * 0.05, 0.8)) * 0.02
    if points > 63:
        with pytest.raises(RefusedTarget, match=f"{points} points, at most 63"):
            safety_filter.follow(0, due, goals)
        np.testing.assert_array_equal(safety_filter.q, E.home)
        return
    old, _ = safety_filter.follow(0, due, goals)
    new, _ = safety_filter.follow(due[0], due[1:3], goals[1:3])
    velocity = SAFETY.motion_limits(E).velocity
    assert (np.abs(new[0] - old[0]) <= velocity * step_ns * 1e-9 + 1e-9).all()


@pytest.mark.parametrize("missed", [0, 1, 2])
def test_what_a_source_missed_is_not_made_up_for_at_twice_the_speed(missed):
    """The drivers play each target over its own 50 ms, however long ago the last one was."""
    safety_filter, period = make(), 50 * MS
    speed = 0.8 * SAFETY.motion_limits(E).velocity[0]
    goal, last = E.home.copy(), E.home
    ticks = [*range(20), *range(20 + missed, 40 + missed)]
    moved = []
    for tick in ticks:
        goal[0] = E.home[0] + speed * (tick + 1) * period * 1e-9
        safe, _ = safety_filter.follow(tick * period, [(tick + 1) * period], goal[None])
        moved.append(abs(safe[0] - last)[0])
        last = safe[0]
    assert max(moved) <= SAFETY.motion_limits(E).velocity[0] * 0.05 + 1e-9


def test_standing_still_is_where_the_robot_is_though_a_slow_target_came_first():
    """A first target that is due late, and quicker ones after it, leave the plan in order."""
    safety_filter, goal = make(), E.home.copy()
    goal[0] += 0.02
    safety_filter.follow(0, [2000 * MS], goal[None])
    for tick in range(1, 11):
        goal[0] += 0.02
        safe, _ = safety_filter.follow(tick * 50 * MS, [(tick + 1) * 50 * MS], goal[None])
    safety_filter.stop(600 * MS)
    np.testing.assert_array_equal(safety_filter.q, safe[0])
    assert safety_filter.q[0] > E.home[0] + 0.1
