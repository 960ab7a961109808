"""The motion limiter holds its bounds whatever the goals, and reaches a goal that stays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hop_core.embodiment import load_embodiment
from hop_core.errors import ModelError
from hop_core.kinematics import Kinematics
from hop_core.limiter import MotionLimiter, MotionLimits, limit_motion

DT = 0.05
LIMITS = MotionLimits(np.array([1.0, 2.0]), np.array([4.0, 30.0]))
goals = st.lists(st.tuples(st.floats(-3, 3), st.floats(-3, 3)), min_size=2, max_size=40)


@given(goals)
@settings(max_examples=60, deadline=None)
def test_velocity_and_acceleration_stay_within_bounds(path: list[tuple[float, float]]) -> None:
    limiter = MotionLimiter(LIMITS)
    limiter.reset(np.zeros(2))
    q, qd = np.zeros(2), np.zeros(2)
    for goal in path:
        step = limiter.step(np.array(goal), DT)
        assert np.all(np.abs(step.q - q) <= LIMITS.velocity * DT * (1 + 1e-6))
        assert np.all(
            np.abs((step.q - q) / DT - qd) <= LIMITS.acceleration * DT * (1 + 1e-6) + 1e-9
        )
        q, qd = step.q, step.qd


@pytest.mark.parametrize("dt", [1 / 20, 1 / 120, 1 / 333])
def test_a_constant_goal_is_reached_without_overshoot(dt: float) -> None:
    limiter = MotionLimiter(LIMITS)
    limiter.reset(np.zeros(2))
    path = np.array([limiter.step(np.array([1.0, -0.7]), dt).q for _ in range(int(3 / dt))])
    assert path[-1] == pytest.approx([1.0, -0.7], abs=1e-4)
    assert path[:, 0].max() <= 1.0 + 5e-5
    assert path[:, 1].min() >= -0.7 - 5e-5


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_goals_that_keep_the_bounds_pass_unchanged(pushes: list[tuple[float, float]]) -> None:
    limiter = MotionLimiter(LIMITS)
    limiter.reset(np.zeros(2))
    goal, speed = np.zeros(2), np.zeros(2)
    for push in pushes:
        before = goal
        change = np.array(push) * LIMITS.acceleration * DT
        speed = np.clip(speed + change, -LIMITS.velocity, LIMITS.velocity)
        goal = goal + speed * DT
        step = limiter.step(goal, DT, (goal - before) / DT)
        assert not step.limited
        assert np.array_equal(step.q, goal)


@pytest.mark.parametrize("dt", [1 / 20, 1 / 120])
def test_goals_that_run_into_a_position_limit_do_not_pull_the_target_beyond(dt: float) -> None:
    end = np.array([0.6, 0.9])
    limiter = MotionLimiter(replace(LIMITS, lower=-end, upper=end))
    limiter.reset(np.zeros(2))
    goal, speed = np.zeros(2), np.zeros(2)
    for _ in range(int(3 / dt)):
        before = goal
        speed = np.minimum(speed + LIMITS.acceleration * dt, LIMITS.velocity)
        goal = np.minimum(goal + speed * dt, end)
        step = limiter.step(goal, dt, (goal - before) / dt)
        assert np.all(step.q <= end + 1e-9)
    assert step.q == pytest.approx(end, abs=1e-6)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=2, max_size=60))
@settings(max_examples=100, deadline=None)
def test_bounds_hold_however_goals_jump_stop_and_turn(path: list[tuple[float, float]]) -> None:
    end = np.array([0.6, 0.9])
    limits = replace(LIMITS, lower=-end, upper=end)
    limiter = MotionLimiter(limits)
    limiter.reset(np.zeros(2))
    goal, q, qd = np.zeros(2), np.zeros(2), np.zeros(2)
    for place in path:
        before, goal = goal, np.array(place) * end
        step = limiter.step(goal, DT, (goal - before) / DT)
        speed = (step.q - q) / DT
        assert np.all(np.abs(speed) <= limits.velocity * (1 + 1e-6))
        assert np.all(np.abs(speed - qd) <= limits.acceleration * DT * (1 + 1e-6) + 1e-9)
        assert np.all(np.abs(step.q) <= end + 1e-9)
        q, qd = step.q, speed


def test_a_slow_goal_passes_unchanged_and_says_so() -> None:
    limiter = MotionLimiter(LIMITS)
    limiter.reset(np.zeros(2))
    step = limiter.step(np.array([0.001, -0.002]), DT)
    assert not step.limited
    assert step.q == pytest.approx([0.001, -0.002])


def test_the_palm_keeps_its_speed_limit() -> None:
    embodiment, kinematics = load_embodiment(), Kinematics()
    limits = MotionLimits(
        embodiment.velocity_limit, embodiment.acceleration_limit * 100, tcp_speed_m_s=0.25
    )
    limiter = MotionLimiter(limits, kinematics)
    limiter.reset(embodiment.home)
    goal = embodiment.home.copy()
    goal[0] += 1.0
    before = kinematics.site_pose(embodiment.home, "palm")[:3, 3]
    step = limiter.step(goal, DT)
    moved = kinematics.site_pose(step.q, "palm")[:3, 3]
    assert np.linalg.norm(moved - before) / DT == pytest.approx(0.25, rel=0.01)
    assert "tcp_speed" in step.clamped


def test_a_tool_speed_limit_needs_kinematics() -> None:
    with pytest.raises(ModelError, match="needs kinematics"):
        MotionLimiter(MotionLimits(np.ones(23), np.ones(23), tcp_speed_m_s=0.5))


def test_a_batch_of_motions_is_limited_as_each_alone() -> None:
    embodiment, kinematics = load_embodiment(), Kinematics()
    limits = MotionLimits(
        embodiment.velocity_limit, embodiment.acceleration_limit, tcp_speed_m_s=0.25
    )
    rng = np.random.default_rng(0)
    q = embodiment.home + rng.normal(0.0, 0.2, (5, 23))
    far = np.array([0.0, 1e-3, 0.1, 0.3, 1.0])[:, None]
    goals = [q + far * rng.normal(0.0, 1.0, (5, 23)) for _ in range(3)]

    def palm_m(q: np.ndarray) -> np.ndarray:
        return np.stack([kinematics.site_pose(row, "palm")[:3, 3] for row in q])

    alone = []
    for row in range(5):
        limiter = MotionLimiter(limits, kinematics)
        limiter.reset(q[row])
        alone.append([limiter.step(goal[row], DT) for goal in goals])
    qd = np.zeros_like(q)
    for k, goal in enumerate(goals):
        q, qd, clamped = limit_motion(q, qd, goal, DT, limits, palm_m)
        assert np.array_equal(q, [steps[k].q for steps in alone])
        assert list(clamped.any) == [steps[k].limited for steps in alone]
    assert {steps[0].limited for steps in alone} == {False, True}
