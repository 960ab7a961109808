"""Both solvers of Eq. 1 on the same problems: right, bounded, counted, deterministic."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from hop_core.embodiment import load_embodiment
from hop_core.errors import RetargetingError
from hop_core.retargeting.config import load_retarget
from hop_core.retargeting.lm_solver import LmSolver
from hop_core.retargeting.nlopt_solver import NloptSolver
from hop_core.retargeting.objective import eq1_cost, keypoint_error_m
from hop_core.retargeting.robot_points import RobotPoints
from hop_core.retargeting.solver import Bounds, StopReason, one_turn_bounds
from hop_core.retargeting.solvers import create_solver

CONFIG = load_retarget()
BOUNDS = one_turn_bounds(load_embodiment())
K = len(CONFIG.points)
POINTS = RobotPoints(CONFIG)


@pytest.fixture(scope="module")
def lm():
    return LmSolver(CONFIG)


def warm(count, seed=0):
    """Goals of a slightly other hand than the robot's, a few centimetres from present postures."""
    rng, home = np.random.default_rng(seed), load_embodiment().home
    phi = np.clip(home + rng.normal(0, 0.3, (count, 23)), BOUNDS.lower, BOUNDS.upper)
    ahead = np.clip(phi + rng.normal(0, 0.05, (count, 23)), BOUNDS.lower, BOUNDS.upper)
    return POINTS.batch_positions(ahead) + rng.normal(0, 0.008, (count, K, 3)), phi


def cold(count, seed=0):
    """Goals far from random postures."""
    phi = np.random.default_rng(seed).uniform(BOUNDS.lower, BOUNDS.upper, (count, 23))
    return warm(count, seed)[0], phi


@pytest.mark.parametrize("value", [1e-3, 1e-4])
def test_warm_costs_are_nlopts_or_lower(value):
    config, (x_h, phi) = CONFIG.with_lambda(value), warm(100)
    ours, theirs = LmSolver(config).solve(x_h, phi), NloptSolver(config).solve(x_h, phi)
    assert (ours.cost <= 1.01 * theirs.cost).mean() >= 0.99
    assert not ours.failures()
    assert not theirs.failures()
    for answer in (ours, theirs):
        cost = eq1_cost(x_h, POINTS.batch_positions(answer.a), answer.a, phi, config)
        assert answer.cost == pytest.approx(cost, abs=1e-15)


def test_cold_starts_cost_less_than_nlopts(lm):
    x_h, phi = cold(60)
    ours, theirs = lm.solve(x_h, phi), NloptSolver(CONFIG).solve(x_h, phi)
    assert ours.cost.mean() <= theirs.cost.mean()
    assert ours.converged.mean() >= 0.98


def test_a_reachable_hand_is_reached(lm):
    _, phi = warm(20)
    x_h = POINTS.batch_positions(phi)
    answer = lm.solve(x_h, phi)
    assert np.abs(answer.a - phi).max() < 1e-6
    assert keypoint_error_m(x_h, lm.positions(answer.a), CONFIG).max() < 1e-6


def test_compiled_kinematics_agree_with_mujoco(lm):
    q = np.random.default_rng(1).uniform(BOUNDS.lower, BOUNDS.upper, (200, 23))
    assert np.abs(lm.positions(q) - POINTS.batch_positions(q)).max() < 1e-9


def test_gradient_is_the_derivative_of_the_cost():
    solver, (x_h, phi) = NloptSolver(CONFIG), warm(1)
    solver.solve(x_h, phi)
    a, gradient, step = phi[0] + 0.1, np.zeros(23), 1e-6
    solver.objective(a, gradient)
    for i in range(23):
        nudge = step * np.eye(23)[i]
        rise = solver.objective(a + nudge, np.empty(0)) - solver.objective(a - nudge, np.empty(0))
        assert gradient[i] == pytest.approx(rise / (2 * step), abs=1e-8)


def test_compiled_derivatives_are_those_of_mujocos_jacobians(lm, monkeypatch):
    """In plain Python, uncompiled: gradient and blocks of J' W J + 2 lambda."""
    from hop_core.retargeting.lm import forward, layout, linearise

    for module in (forward, linearise):
        for name, value in list(vars(module).items()):
            monkeypatch.setattr(module, name, getattr(value, "py_func", value))
    (x_h, phi), room, lam = warm(1), layout.scratch(K), CONFIG.lambdas
    q = phi[0] + 0.05
    forward.evaluate(lm._robot, lam, x_h[0], phi[0], q, room)
    linearise.linearise(lm._robot, lam, phi[0], q, room)
    points = POINTS.positions(q)
    jacobian, weight = POINTS.jacobian(points).reshape(3 * K, 23), np.repeat(CONFIG.weights, 3)
    hessian = jacobian.T * weight @ jacobian + 2 * np.diag(lam)
    gradient = 2 * lam * (q - phi[0]) - (x_h[0] - points).ravel() * weight @ jacobian
    assert np.tril(room.arm[:7, :7]) == pytest.approx(np.tril(hessian[:7, :7]), abs=1e-12)
    assert room.arm[7, :7] == pytest.approx(gradient[:7], abs=1e-12)
    for f in range(4):
        own = slice(7 + 4 * f, 11 + 4 * f)
        assert room.coupling[f, :, :7] == pytest.approx(hessian[own, :7], abs=1e-12)
        assert room.coupling[f, :, 7] == pytest.approx(gradient[own], abs=1e-12)
        assert np.tril(room.finger[f]) == pytest.approx(np.tril(hessian[own, own]), abs=1e-12)


def test_answers_are_minima(lm):
    """Where a joint is free the cost is level; at a bound it would fall only beyond it."""
    tight = CONFIG.model_copy(update={"lm": CONFIG.lm.model_copy(update={"ftol_rel": 1e-12})})
    (x_h, phi), nlopt = warm(20), NloptSolver(CONFIG)
    answer, gradient, held = LmSolver(tight).solve(x_h, phi), np.zeros(23), 0
    for i, a in enumerate(answer.a):
        nlopt.solve(x_h[i : i + 1], phi[i : i + 1])
        nlopt.objective(a, gradient)
        low, high = a <= BOUNDS.lower, a >= BOUNDS.upper
        held += int((low | high).sum())
        assert np.abs(gradient[~low & ~high]).max() < 1e-6
        assert np.all(gradient[low] >= -1e-12)
        assert np.all(gradient[high] <= 1e-12)
    assert held > 0


@pytest.mark.parametrize("name", ["lm", "nlopt"])
def test_bounds_hold_exactly(name):
    half = 0.05 * (BOUNDS.upper - BOUNDS.lower)
    bounds = Bounds(load_embodiment().home - half, load_embodiment().home + half)
    x_h, phi = warm(30)
    answer = create_solver(CONFIG, name, bounds).solve(x_h + 0.3, phi)
    assert np.all(answer.a >= bounds.lower)
    assert np.all(answer.a <= bounds.upper)
    assert np.any(answer.a == bounds.upper)


def test_joints_that_turn_further_have_one_winding_number_about_home():
    home = load_embodiment().home
    assert BOUNDS.upper[[0, 2, 4, 6]] - BOUNDS.lower[[0, 2, 4, 6]] == pytest.approx(2 * np.pi)
    assert np.all((home > BOUNDS.lower) & (home < BOUNDS.upper))
    assert np.all(BOUNDS.lower >= load_embodiment().lower)
    assert np.all(BOUNDS.upper <= load_embodiment().upper)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_answers_do_not_depend_on_threads_or_company(lm, threads):
    x_h, phi = (np.concatenate(pair) for pair in zip(warm(20), cold(5), strict=True))
    one, many = lm.solve(x_h, phi), LmSolver(CONFIG, threads=threads).solve(x_h, phi)
    alone = lm.solve(x_h[7:8], phi[7:8])
    for name in ("a", "cost", "iterations", "stop"):
        assert np.array_equal(getattr(one, name), getattr(many, name))
        assert np.array_equal(getattr(one, name)[7:8], getattr(alone, name))


def test_a_start_of_its_own_is_used_and_moved_into_the_bounds(lm):
    x_h, phi = cold(10)
    near = np.clip(warm(10)[1], BOUNDS.lower, BOUNDS.upper)
    assert lm.solve(x_h, phi, near).iterations.mean() < lm.solve(x_h, phi).iterations.mean()
    assert np.all(np.isfinite(lm.solve(x_h, phi, near + 100.0).cost))


@pytest.mark.parametrize("name", ["lm", "nlopt"])
def test_what_is_not_finite_is_counted_and_spoils_no_other(name):
    solver, (x_h, phi) = create_solver(CONFIG, name), warm(5)
    whole = solver.solve(x_h, phi)
    x_h[1, 3, 0], phi[4, 2] = np.nan, np.inf
    answer = solver.solve(x_h, phi)
    assert answer.failures() == {"invalid": 2}
    assert np.isnan(answer.a[[1, 4]]).all()
    assert np.isnan(answer.cost[[1, 4]]).all()
    assert np.array_equal(answer.a[[0, 2, 3]], whole.a[[0, 2, 3]])
    assert list(answer.converged) == [True, False, True, True, False]


@pytest.mark.parametrize("name", ["lm", "nlopt"])
def test_what_ran_out_of_steps_is_counted_and_still_better_than_the_start(name):
    short = CONFIG.model_copy(
        update={
            "lm": CONFIG.lm.model_copy(update={"max_iterations": 1}),
            "nlopt": CONFIG.nlopt.model_copy(update={"max_evaluations": 2}),
        }
    )
    x_h, phi = warm(5)
    answer = create_solver(short, name).solve(x_h, phi)
    start = eq1_cost(x_h, POINTS.batch_positions(phi), phi, phi, CONFIG)
    assert answer.failures() == {"limit": 5}
    assert np.all(answer.cost <= start)


@pytest.mark.parametrize("name", ["lm", "nlopt"])
def test_no_problems_have_no_solutions(name):
    answer = create_solver(CONFIG, name, threads=2).solve(np.zeros((0, K, 3)), np.zeros((0, 23)))
    assert answer.a.shape == (0, 23)
    assert answer.failures() == {}


def test_what_nlopt_gives_up_is_counted(monkeypatch):
    solver, (x_h, phi) = NloptSolver(CONFIG), warm(3)
    optimize = solver._optimiser.optimize

    class GivesUpOnce:
        def optimize(self, start):
            answer = optimize(start)
            if np.array_equal(start, phi[1]):
                raise RuntimeError("nlopt failure")
            return answer

        def last_optimize_result(self):
            return 3

    monkeypatch.setattr(solver, "_optimiser", GivesUpOnce())
    answer = solver.solve(x_h, phi)
    assert answer.stop[1] == StopReason.FAILED
    assert answer.failures() == {"failed": 1}
    assert np.isfinite(answer.cost[1])


def test_wrong_shapes_are_named(lm):
    x_h, phi = warm(2)
    with pytest.raises(RetargetingError, match=r"x_h must have shape \(B, 8, 3\), got \(2, 6, 3\)"):
        lm.solve(x_h[:, :6], phi)
    with pytest.raises(RetargetingError, match=r"phi must have shape \(2, 23\), got \(1, 23\)"):
        lm.solve(x_h, phi[:1])
    with pytest.raises(RetargetingError, match=r"start must have shape \(2, 23\), got \(2, 16\)"):
        lm.solve(x_h, phi, phi[:, :16])
    crossed = BOUNDS.upper.copy()
    crossed[2] = BOUNDS.lower[2]
    with pytest.raises(RetargetingError, match="joint3"):
        replace(BOUNDS, upper=crossed)
    with pytest.raises(RetargetingError, match="at least 1 thread"):
        LmSolver(CONFIG, threads=0)


def test_nobody_pays_for_the_libraries_before_asking_for_a_solver():
    code = (
        "import sys, hop_core.cli, hop_core.retargeting.solvers, hop_core.retargeting.lm_solver;"
        "sys.exit(not {'numba', 'nlopt'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
