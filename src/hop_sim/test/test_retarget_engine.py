"""The simulator in the loop: what is solved, limited, executed and recorded; why attempts end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from hop_core.kinematics import Kinematics
from hop_core.retargeting.solver import Solution
from hop_sim.retarget.attempts import draw_attempts
from hop_sim.retarget.config import EngineConfig
from hop_sim.retarget.engine import Engine, Rollouts
from hop_sim.retarget.physics import StepResult
from hop_sim.retarget.settings import RetargetSettings
from hop_sim.retarget.soundness import REASONS
from hop_sim.retarget.verdict import judge
from hop_sim.tracks.resample import Track20

SEED = 3
ATTEMPTS = 6
STEP_S = 0.05


def make_engine(
    settings: RetargetSettings, threads: int = 1, config: EngineConfig | None = None
) -> Engine:
    return Engine(
        config or settings.engine, settings.eq1, settings.safety, settings.solver, threads
    )


def every(track: Track20, stride: int) -> Track20:
    """The track `stride` times as fast."""
    frames = {
        name: getattr(track, name)[::stride]
        for name in ("time_s", "source_s", "keypoints_m", "T_table_object", "contact")
    }
    return replace(track, **frames)


def low(track: Track20, by_m: float) -> Track20:
    """The track with hand and object lower over its table."""
    T = track.T_table_object.copy()
    T[:, 2, 3] -= by_m
    return replace(track, keypoints_m=track.keypoints_m - [0.0, 0.0, by_m], T_table_object=T)


def into_the_palm(track: Track20) -> Track20:
    """The track with the object where the palm is."""
    T = track.T_table_object.copy()
    T[:, :3, 3] = track.keypoints_m[:, 9]
    return replace(track, T_table_object=T)


@pytest.fixture(scope="module")
def rollouts(engine: Engine, track20: Track20) -> Rollouts:
    return engine.run(track20, range(ATTEMPTS), SEED)


class Spy:
    """A solver that remembers what it was asked and what it said."""

    def __init__(self, solver) -> None:
        self.solver = solver
        self.phi: list[np.ndarray] = []
        self.a: list[np.ndarray] = []

    def solve(self, x_h: np.ndarray, phi: np.ndarray, start: np.ndarray | None = None) -> Solution:
        solution = self.solver.solve(x_h, phi, start)
        self.phi.append(phi.copy())
        self.a.append(solution.a)
        return solution


class Pulled:
    """Physics that leaves every joint 0.02 rad above its target.

    Attributes:
        q: postures after each step.
        unstable: numbers of a step and of an attempt whose simulation has no posture after it.
    """

    def __init__(self, unstable: tuple[int, int] | None = None) -> None:
        self.q: list[np.ndarray] = []
        self.unstable = unstable

    def reset(self, q: np.ndarray) -> None:
        self.q = [q]

    def step(self, rows, q_target, object_pose, object_velocity) -> StepResult:
        self.q.append(q_target + 0.02)
        if self.unstable is not None and len(self.q) - 2 == self.unstable[0]:
            self.q[-1][rows == self.unstable[1]] = np.nan
        nothing = np.zeros(len(rows))
        return StepResult(self.q[-1], nothing > 0.0, nothing, nothing)


def test_attempts_follow_the_hand_on_the_known_scene(rollouts, engine) -> None:
    verdict = judge(rollouts, engine.config.prune)
    assert (rollouts.steps == rollouts.q.shape[1]).all()
    assert verdict.kept_any.all()
    assert verdict.kept_contact.sum() >= 2


@pytest.mark.parametrize("threads", [1, 2])
def test_threads_and_division_of_the_attempts_change_nothing(
    threads, rollouts, retarget_settings, track20
) -> None:
    other = make_engine(retarget_settings, threads)
    parts = [other.run(track20, numbers, SEED) for numbers in (range(2), range(2, ATTEMPTS))]
    for name in vars(rollouts):
        if name not in ("attempts", "contact", "lead_in"):
            together = np.concatenate([getattr(part, name) for part in parts])
            np.testing.assert_array_equal(together, getattr(rollouts, name), err_msg=name)


def test_each_target_is_solved_from_the_simulated_posture(retarget_settings, track20) -> None:
    """a[k] starts at the posture that physics left at k - 1, never at the target before."""
    engine, physics = make_engine(retarget_settings), Pulled()
    spy = engine._solver = Spy(engine._solver)
    attempts = draw_attempts(track20, range(2), engine.config, engine.embodiment, SEED)
    rollouts = engine.follow(track20, attempts, physics)
    assert len(spy.phi) == engine.config.start.lead_in_steps + len(track20.time_s)
    np.testing.assert_array_equal(np.array(spy.phi), np.array(physics.q)[:-1])
    np.testing.assert_array_equal(rollouts.q, np.swapaxes(np.array(physics.q)[1:], 0, 1))
    np.testing.assert_array_equal(rollouts.q_raw, np.swapaxes(np.array(spy.a), 0, 1))
    np.testing.assert_allclose(rollouts.q, rollouts.q_target + 0.02, atol=1e-12)


def test_the_error_is_that_of_the_simulated_posture(rollouts, track20) -> None:
    """e[k]: mean distance of palm and four tips from their keypoints, in base_link."""
    kinematics, pad = Kinematics(), [0.0085, 0.0, 0.0085, 1.0]
    row, frame = 1, 30
    k, T = rollouts.lead_in + frame, rollouts.attempts.T_base_table[row]
    missed_m = []
    for site, keypoint, at in (
        ("palm", 9, [0.0, 0.0, 0.0, 1.0]),
        ("thumb_tip", 4, pad),
        ("index_tip", 8, pad),
        ("middle_tip", 12, pad),
        ("ring_tip", 16, pad),
    ):
        point = kinematics.site_pose(rollouts.q[row, k], site) @ at
        missed_m.append(np.linalg.norm(point - T @ [*track20.keypoints_m[frame, keypoint], 1.0]))
    assert rollouts.error_m[row, k] == pytest.approx(np.mean(missed_m), abs=1e-9)


def test_executed_targets_keep_the_limits_of_the_deployment(retarget_settings, track20) -> None:
    """The hand is five times too fast and nothing ends an attempt: limits hold all the same."""
    config = retarget_settings.engine
    forgiving = config.prune.model_copy(update={"limited_share": 1.0, "penetration_m": 1.0})
    engine = make_engine(retarget_settings, config=config.model_copy(update={"prune": forgiving}))
    rollouts = engine.run(every(track20, 5), range(ATTEMPTS), SEED)
    safety, kinematics, checked = retarget_settings.safety, Kinematics(), 0
    limits, tcp_m_s = safety.motion_limits(engine.embodiment), safety.motion.tcp_speed_m_s
    lower, upper = safety.position_limits(engine.embodiment)
    for row, steps in enumerate(rollouts.steps):
        target = np.concatenate([rollouts.attempts.q[row][None], rollouts.q_target[row, :steps]])
        speed = np.diff(target, axis=0, prepend=target[:1]) / STEP_S
        assert (np.abs(speed) <= limits.velocity + 1e-9).all()
        palm_m = np.array([kinematics.site_pose(q, "palm")[:3, 3] for q in target])
        palm_m_s = np.linalg.norm(np.diff(palm_m, axis=0, prepend=palm_m[:1]), axis=1) / STEP_S
        assert palm_m_s.max() <= 1.02 * tcp_m_s  # the share is exact on a straight way only
        slower = palm_m_s < 0.95 * tcp_m_s  # where the tool is slowed, joints may brake harder
        change = np.abs(np.diff(speed, axis=0)) / STEP_S
        assert (change[slower[1:]] <= limits.acceleration + 1e-6).all()
        checked += int(slower[1:].sum())
        assert (target >= lower - 1e-9).all()
        assert (target <= upper + 1e-9).all()
    assert checked > 0.5 * rollouts.steps.sum()
    assert rollouts.limited.sum() > 20
    assert (lower > engine.embodiment.lower)[:7].all()


def test_the_solved_and_the_executed_target_are_both_recorded(engine, track20) -> None:
    """They differ in those steps, and only those, in which the limiter acted."""
    rollouts = engine.run(every(track20, 3), range(ATTEMPTS), SEED)
    differ = (rollouts.q_raw != rollouts.q_target) & np.isfinite(rollouts.q_raw)
    np.testing.assert_array_equal(differ.any(axis=2).sum(axis=1), rollouts.limited)
    assert rollouts.limited.sum() > 0


def test_the_tool_is_the_palm_in_whatever_order_points_are_listed(retarget_settings) -> None:
    eq1 = retarget_settings.eq1
    turned = eq1.model_copy(update={"points": (*eq1.points[1:], eq1.points[0])})
    engine = make_engine(replace(retarget_settings, eq1=turned))
    home = engine.embodiment.home
    palm_m = Kinematics().site_pose(home, "palm")[:3, 3]
    np.testing.assert_allclose(engine._palm_position(home[None])[0], palm_m, atol=1e-9)


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("arm_contact", lambda track: low(track, 0.45)),
        ("penetration", into_the_palm),
        ("limited", lambda track: every(track, 6)),
    ],
)
def test_an_attempt_ends_when_it_cannot_be_kept_any_more(reason, spoil, engine, track20) -> None:
    ended = engine.run(spoil(track20), range(ATTEMPTS), SEED)
    rows = np.flatnonzero(ended.reason == REASONS.index(reason))
    assert len(rows), ended.reason
    for row in rows:
        assert np.isfinite(ended.q[row, : ended.steps[row]]).all()
        assert np.isnan(ended.q[row, ended.steps[row] :]).all()
    verdict = judge(ended, engine.config.prune)
    assert not verdict.kept[rows].any()
    assert verdict.rejections()[reason] == len(rows)
    prune, steps = engine.config.prune, ended.q.shape[1]
    assert (ended.penetration_m[rows] > prune.penetration_m).all() == (reason == "penetration")
    assert (ended.limited[rows] > prune.limited_share * steps).all() == (reason == "limited")


@pytest.mark.parametrize("back", [30, 1])
def test_an_attempt_ends_when_its_simulation_becomes_unstable(back, engine, track20) -> None:
    """Also in the very last step: a frame without a posture is no frame of a trajectory."""
    attempts = draw_attempts(track20, range(3), engine.config, engine.embodiment, SEED)
    last = engine.config.start.lead_in_steps + len(track20.time_s) - back
    alone = engine.follow(track20, attempts, Pulled())
    ended = engine.follow(track20, attempts, Pulled(unstable=(last, 1)))
    assert ended.steps.tolist() == [alone.steps[0], last + 1, alone.steps[2]]
    assert ended.reason.tolist() == [-1, REASONS.index("unsolvable"), -1]
    np.testing.assert_array_equal(ended.q[[0, 2]], alone.q[[0, 2]])
    verdict = judge(ended, engine.config.prune)
    assert not verdict.kept[1]
    assert verdict.rejections()["unsolvable"] == 1


def test_all_attempts_may_end_early(engine, track20) -> None:
    ended = engine.run(low(track20, 0.45), range(2), SEED)
    assert (ended.steps < ended.q.shape[1]).all()
    verdict = judge(ended, engine.config.prune)
    assert not verdict.kept.any()
    assert sum(verdict.rejections().values()) == 2


def made_up(
    error_m: Sequence[Sequence[float]], contact: Sequence[int], **known: np.ndarray
) -> Rollouts:
    """Rollouts with a lead-in of two frames, of which only what a verdict needs is known."""
    errors, nothing = np.asarray(error_m, dtype=float), np.zeros(0)
    count = len(errors)
    unknown = ("attempts", "goals_m", "q", "q_raw", "q_target", "object_pose", "limited",
               "unsolved", "penetration_m")  # fmt: skip
    values = {
        **dict.fromkeys(unknown, nothing),
        "contact": np.array([0, 0, *contact], dtype=bool),
        "lead_in": 2,
        "steps": np.full(count, errors.shape[1]),
        "reason": np.full(count, -1),
        "error_m": errors,
        "saturation_share": np.zeros(count),
    }
    return Rollouts(**{**values, **known})


LEAD = [0.0, 0.0]  # as good as can be, and not of the track
FAR, NEAR = 0.05, 0.01


def test_two_readings_of_the_papers_filter(engine) -> None:
    """min e < 3 cm over the track's frames, and e < 3 cm in 80 % of its contact frames."""
    errors = [
        [*LEAD, FAR, NEAR, NEAR, NEAR, NEAR, FAR],  # 4 of 5
        [*LEAD, NEAR, NEAR, NEAR, NEAR, FAR, FAR],  # 3 of 5: the first is no contact
        [*LEAD, FAR, FAR, FAR, FAR, FAR, 0.029],
        [*LEAD, FAR, FAR, FAR, FAR, FAR, 0.030],  # the limit itself is not below
        [*LEAD, FAR, FAR, FAR, FAR, FAR, FAR],
    ]
    verdict = judge(made_up(errors, [0, 1, 1, 1, 1, 1]), engine.config.prune)
    np.testing.assert_allclose(verdict.share_below, [0.8, 0.6, 0.2, 0.0, 0.0])
    np.testing.assert_allclose(verdict.min_error_m, [NEAR, NEAR, 0.029, 0.030, FAR])
    assert verdict.kept_any.tolist() == [True, True, True, False, False]
    assert verdict.kept_contact.tolist() == [True, False, False, False, False]
    assert verdict.rejections() == {**dict.fromkeys(REASONS, 0), "saturation": 0, "error": 2}


def test_each_attempt_that_is_not_kept_has_one_reason(engine) -> None:
    good = [*LEAD, NEAR, NEAR, NEAR]
    ended = [*LEAD, NEAR, np.nan, np.nan]
    before = [0.0, np.nan, np.nan, np.nan, np.nan]
    rollouts = made_up(
        [good, ended, before, good, ended, [*LEAD, FAR, FAR, FAR]],
        [0, 1, 1],
        reason=np.array([-1, REASONS.index("penetration"), 0, -1, REASONS.index("limited"), -1]),
        saturation_share=np.array([0.5, 0.9, 0.0, 0.51, 0.0, 0.6]),
    )
    verdict = judge(rollouts, engine.config.prune)
    assert verdict.rejections() == {
        **dict.fromkeys(REASONS, 0),
        "arm_contact": 1,
        "penetration": 1,
        "limited": 1,
        "saturation": 2,
        "error": 0,
    }
    assert verdict.kept.tolist() == [True] + [False] * 5
    assert np.isnan(verdict.min_error_m[2])


def test_a_track_without_contact_is_judged_by_all_its_frames(engine) -> None:
    errors = [[FAR, FAR, *[NEAR] * 4, FAR], [FAR, FAR, *[NEAR] * 3, FAR, FAR]]
    verdict = judge(made_up(errors, [0] * 5), engine.config.prune)
    np.testing.assert_allclose(verdict.share_below, [0.8, 0.6])
    assert verdict.kept_contact.tolist() == [True, False]
