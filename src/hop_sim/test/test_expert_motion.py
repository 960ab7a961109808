"""Scripted motion: a way of several legs ends where it should, and never rests on the way."""

import numpy as np
import pytest

from hop_sim.experts.motion import Leg, along, turn_about

UP, SIDEWAYS = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
SPEED_M_S = 0.2
TURNED = turn_about(UP, 1.0) @ turn_about(SIDEWAYS, 0.5)
LEGS = [
    Leg(np.array([0.0, 0.0, 0.2]), np.eye(3)),
    Leg(np.array([0.3, 0.0, 0.2]), turn_about(UP, 1.0)),
    Leg(np.array([0.3, 0.1, 0.1]), TURNED),
]


def test_a_way_ends_at_its_last_goal_and_stays_there() -> None:
    """Point and rotation, and the share of the time."""
    for time_s in (10.0, 60.0):
        reached = along(np.zeros(3), np.eye(3), LEGS, SPEED_M_S, time_s)
        assert reached.share == 1.0
        np.testing.assert_allclose(reached.point_m, LEGS[-1].goal_m, atol=1e-12)
        np.testing.assert_allclose(reached.rotation, TURNED, atol=1e-12)


def test_it_rounds_the_corners_without_a_rest() -> None:
    """On the way it is never slower than half its mean speed, nor much faster."""
    step_s = 0.01
    points, shares = [], []
    for k in range(1000):
        reached = along(np.zeros(3), np.eye(3), LEGS, SPEED_M_S, k * step_s)
        points.append(reached.point_m)
        shares.append(reached.share)
    speed = np.linalg.norm(np.diff(points, axis=0), axis=1) / step_s
    moving = (np.array(shares[1:]) > 0.1) & (np.array(shares[1:]) < 0.9)
    assert speed[moving].min() > 0.5 * SPEED_M_S
    assert speed.max() < 1.4 * SPEED_M_S
    # The corners are cut, but not by much.
    for leg in LEGS[:2]:
        assert np.linalg.norm(np.array(points) - leg.goal_m, axis=1).min() < 0.03


@pytest.mark.parametrize("angle_rad", [0.5, 2.0])
def test_a_turn_on_the_spot_takes_its_time(angle_rad: float) -> None:
    """A leg of no length turns at a bounded rate."""
    legs = [Leg(np.zeros(3), turn_about(UP, angle_rad))]
    share = along(np.zeros(3), np.eye(3), legs, SPEED_M_S, 0.1).share
    assert share == pytest.approx(0.1 * SPEED_M_S / (0.3 * angle_rad))


@pytest.mark.parametrize("last_m", [0.0, 0.005])
def test_a_short_last_leg_does_not_end_the_way_early(last_m: float) -> None:
    """The share is 1 only where the last goal is reached, however long the leg before takes."""
    goal = np.array([0.4 + last_m, 0.0, 0.0])
    legs = [Leg(np.array([0.4, 0.0, 0.0]), np.eye(3)), Leg(goal, np.eye(3))]
    for time_s in np.arange(0.0, 4.0, 0.01):
        reached = along(np.zeros(3), np.eye(3), legs, SPEED_M_S, time_s)
        if reached.share >= 1.0:
            np.testing.assert_allclose(reached.point_m, goal, atol=1e-9)
