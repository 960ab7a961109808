"""The supervisor: nothing moves without arming, one source at a time, and neither fault nor e-stop
ends in motion."""

import itertools

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hop_core.clock import ClockOffset
from hop_core.embodiment import ARM, ARM_JOINTS, HAND, HAND_JOINTS, load_embodiment
from hop_core.kinematics import Kinematics
from hop_core.robot_config import load_robot
from hop_core.safety_config import load_safety
from hop_core.state import HopState, Source
from hop_core.state_report import StateReport
from hop_drivers.safety_filter import SafetyFilter
from hop_drivers.supervisor import Supervisor
from hop_drivers.target import Target

MS = 1_000_000
E = load_embodiment()
SAFETY = load_safety()
ROBOT = load_robot("twin")
KINEMATICS = Kinematics()


class Rig:
    """A supervisor with obedient drivers, a clock of its own and everything it did."""

    def __init__(self, robot=ROBOT, **options):
        self.now = 10**12
        self.q = E.home.copy()  # where the robot is
        self.reports, self.sent, self.armed_calls, self.incidents = [], [], [], []
        self.recover_calls = 0
        self.latest = {}
        self.obedient = True
        ids = (f"id{k}" for k in itertools.count())
        self.silent = set()
        self.clock_step_ns = 0  # by which somebody has set the clock
        self.clock = ClockOffset(lambda: self.now + self.clock_step_ns, lambda: self.now)
        self.supervisor = Supervisor(
            E, SAFETY, SafetyFilter(E, SAFETY, robot, KINEMATICS), self, self.clock,
            lambda: self.now, lambda: next(ids), **options,
        )  # fmt: skip

    # effects

    def publish_state(self, report):
        self.reports.append(report)

    def send(self, target):
        assert self.supervisor.state.may_move
        assert target.arming_id == self.supervisor.arming_id != ""
        self.sent.append((self.now, target))

    def arm_drivers(self, arm):
        self.armed_calls.append(arm)
        if self.obedient:
            state = HopState.ARMED if arm else HopState.IDLE
            for name in ("xarm", "allegro"):
                if self.latest.get(name) not in (HopState.FAULT, HopState.ESTOP):
                    self.report(name, state, arming_id=self.supervisor.arming_id if arm else "")

    def recover_drivers(self):
        self.recover_calls += 1

    def write_incident(self, reason):
        self.incidents.append(reason)

    # the world

    def report(self, name, state, reason="", arming_id=""):
        self.latest[name] = state
        self.supervisor.on_report(StateReport(name, state, reason, arming_id=arming_id))

    def idle(self):
        for name in ("xarm", "allegro", "zed"):
            self.report(name, HopState.IDLE)
        self.run(1.3)
        return self

    def run(self, seconds):
        end = self.now + round(seconds * 1e9)
        while self.now < end:
            self.now += 25 * MS
            feedback = self.supervisor.feedback
            if "xarm" not in self.silent:
                feedback.joints("xarm", list(ARM_JOINTS), self.q[ARM], self.now)
            if "allegro" not in self.silent:
                feedback.joints("allegro", list(HAND_JOINTS), self.q[HAND], self.now)
            if "zed" not in self.silent:
                feedback.arrived("zed", self.now)
            self.supervisor.tick()
        return self

    def armed(self):
        self.idle()
        assert self.state is HopState.ARMED or self.supervisor.request_arm().ok
        return self.run(0.1)

    def target(self, q=None, arming_id=None, source=Source.POLICY):
        q = E.home + 0.01 if q is None else q
        arming_id = self.supervisor.arming_id if arming_id is None else arming_id
        made = Target(arming_id, self.now, (self.now + 50 * MS,), np.array([q]))
        self.supervisor.on_target(source, lambda: made)

    def chunk(self, points):
        """Have the policy plan joint 1 this far from home (K,) [rad], 50 ms a point."""
        q = np.tile(E.home, (len(points), 1))
        q[:, 0] += points
        due = tuple(self.now + 50 * MS * (k + 1) for k in range(len(points)))
        made = Target(self.supervisor.arming_id, self.now, due, q)
        self.supervisor.on_target(Source.POLICY, lambda: made)

    def active(self):
        self.armed()
        assert self.supervisor.request_source(Source.POLICY, True).ok
        self.target()
        assert self.state is HopState.ACTIVE
        return self

    @property
    def state(self):
        return self.supervisor.state

    @property
    def reason(self):
        return self.supervisor.reason


def test_it_waits_for_every_component_and_says_for_which():
    rig = Rig()
    rig.report("xarm", HopState.IDLE)
    rig.run(0.1)
    assert rig.state is HopState.DISCONNECTED
    assert "allegro" in rig.reason


def test_it_becomes_idle_and_stays_there_without_a_request():
    rig = Rig().idle()
    rig.run(3.0)
    assert rig.state is HopState.IDLE
    assert rig.sent == []
    assert rig.armed_calls == []


def test_arming_needs_a_second_of_fresh_data():
    rig = Rig()
    for name in ("xarm", "allegro", "zed"):
        rig.report(name, HopState.IDLE)
    rig.run(0.5)
    answer = rig.supervisor.request_arm()
    assert not answer.ok
    assert "fresh" in answer.message


def test_arming_publishes_its_id_before_the_drivers_are_called():
    rig = Rig().idle()
    rig.obedient = False
    rig.supervisor.request_arm()
    assert rig.reports[-1].state is HopState.ARMING
    assert rig.reports[-1].arming_id == "id0"
    assert rig.armed_calls == [True]
    rig.run(0.5)
    assert rig.state is HopState.ARMING
    for name in ("xarm", "allegro"):
        rig.report(name, HopState.ARMED, arming_id="id0")
    rig.run(0.05)
    assert rig.state is HopState.ARMED


def test_drivers_armed_under_another_id_do_not_count_and_arming_ends_in_a_fault():
    rig = Rig().idle()
    rig.obedient = False
    rig.supervisor.request_arm()
    for name in ("xarm", "allegro"):
        rig.report(name, HopState.ARMED, arming_id="older")
    rig.run(SAFETY.watchdog.arming_s + 0.2)
    assert rig.state is HopState.FAULT
    assert "did not arm" in rig.reason


def test_armed_without_a_source_it_stays_at_20_hz():
    rig = Rig().armed()
    rig.sent.clear()
    rig.run(1.0)
    assert 19 <= len(rig.sent) <= 21
    for _, target in rig.sent:
        np.testing.assert_array_equal(target.q[0], E.home)
        assert target.arming_id == rig.supervisor.arming_id


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        ("disarmed", lambda rig: (rig.idle(), rig.target(arming_id="id0"))),
        ("source", lambda rig: (rig.armed(), rig.target())),
        ("arming_id", lambda rig: (rig.active(), rig.target(arming_id="zombie"))),
        ("source", lambda rig: (rig.active(), rig.target(source=Source.TELEOP))),
        ("not_finite", lambda rig: (rig.active(), rig.target(np.full(23, np.nan)))),
    ],
)
def test_a_target_without_the_right_to_move_is_refused_and_counted(kind, act):
    rig = Rig()
    act(rig)
    assert rig.supervisor.refusals == {kind: 1}
    assert all(np.isfinite(target.q).all() for _, target in rig.sent)


def test_a_zombies_target_of_an_earlier_arming_is_refused_after_rearming():
    rig = Rig().active()
    old = rig.supervisor.arming_id
    rig.supervisor.request_disarm()
    rig.idle()
    rig.supervisor.request_arm()
    rig.run(0.1)
    rig.supervisor.request_source(Source.POLICY, True)
    rig.target(arming_id=old)
    assert rig.state is HopState.ARMED
    assert rig.supervisor.refusals["arming_id"] == 1


def test_a_first_target_far_away_leaves_it_armed_with_the_reason():
    rig = Rig().armed()
    rig.supervisor.request_source(Source.POLICY, True)
    far = E.home.copy()
    far[0] += 1.0
    rig.target(far)
    assert rig.state is HopState.ARMED
    assert "first target" in rig.reason
    rig.target()
    assert rig.state is HopState.ACTIVE


def test_stale_targets_hold_and_fresh_ones_resume():
    rig = Rig().active()
    rig.run(0.3)
    assert rig.state is HopState.HOLD
    assert "no target from policy" in rig.reason
    rig.target()
    assert rig.state is HopState.ACTIVE


def test_hold_sends_the_last_command_and_disarms_after_two_seconds():
    rig = Rig().active()
    last = rig.sent[-1][1].q[0]
    rig.run(1.0)
    np.testing.assert_array_equal(rig.sent[-1][1].q[0], last)
    rig.run(1.5)
    assert rig.state is HopState.IDLE
    assert "disarmed after 2 s" in rig.reason
    assert rig.armed_calls[-1] is False


@pytest.mark.parametrize(
    "end",
    [
        lambda rig: None,
        lambda rig: rig.supervisor.request_source(Source.POLICY, False),
        lambda rig: rig.supervisor.request_home(),
    ],
    ids=["hold", "release", "home"],
)
def test_what_ends_a_chunk_ends_it_where_it_has_got_to(end):
    rig = Rig(speed_scale=0.5).armed()
    rig.supervisor.request_source(Source.POLICY, True)
    rig.chunk(0.03 * np.arange(1, 31))
    planned = rig.sent[-1][1].q[:, 0] - E.home[0]
    rig.run(0.1)
    end(rig)
    rig.run(0.1)
    assert rig.state is not HopState.FAULT
    sent = np.array([target.q[-1, 0] for when, target in rig.sent[-1:]]) - E.home[0]
    assert sent[0] < planned[4]  # of thirty


def test_only_one_source_has_the_robot():
    rig = Rig().active()
    answer = rig.supervisor.request_source(Source.TELEOP, True)
    assert not answer.ok
    assert rig.supervisor.source is Source.POLICY
    rig.supervisor.request_source(Source.POLICY, False)
    assert rig.state is HopState.ARMED
    assert rig.supervisor.request_source(Source.TELEOP, True).ok


def test_home_takes_the_robot_and_arrives():
    rig = Rig().active()
    away = E.home.copy()
    away[0] += 0.2
    for _ in range(20):
        rig.target(away)
        rig.now += 50 * MS
    assert rig.supervisor.request_home().ok
    rig.target(away)
    assert rig.supervisor.refusals["source"] == 1
    rig.sent.clear()
    rig.run(4.0)
    assert rig.state is HopState.ARMED
    assert rig.supervisor.progress == "home reached"
    way = np.array([target.q[0] for _, target in rig.sent])
    np.testing.assert_allclose(way[-1], E.home, atol=1e-3)
    fastest = np.abs(np.diff(way[:, 0])).max() * E.rates.policy_hz
    limit = SAFETY.motion.home_speed * SAFETY.motion.arm_velocity_rad_s
    assert 0.3 * limit < fastest <= limit * (1 + 1e-6)


def test_a_slow_way_home_is_not_a_blocked_one():
    rig = Rig(speed_scale=0.02)
    rig.q[0] += 0.05
    rig.armed()
    assert rig.supervisor.request_home().ok
    rig.run(30.0)
    assert rig.supervisor.progress == "home reached"


def test_a_blocked_way_home_ends_armed_and_says_what_blocks_it():
    above_home = ROBOT.workspace.model_copy(update={"lower_m": (0.2, -0.4, 0.37)})
    rig = Rig(robot=ROBOT.model_copy(update={"workspace": above_home}))
    rig.q[1] -= 0.2
    rig.armed()
    assert rig.supervisor.request_home().ok
    rig.run(8.0)
    assert rig.state is HopState.ARMED
    assert rig.supervisor.progress.startswith("the way home is blocked by workspace")
    palm = KINEMATICS.site_pose(rig.sent[-1][1].q[0], "palm")[:3, 3]
    assert 0.37 <= palm[2] < 0.40


@pytest.mark.parametrize("component", ["xarm", "allegro", "zed"])
def test_a_fault_of_any_component_is_the_robots_with_its_reason_and_an_incident(component):
    rig = Rig().active()
    rig.report(component, HopState.FAULT, "it broke")
    assert rig.state is HopState.FAULT
    assert rig.reason == f"{component}: it broke"
    assert rig.armed_calls[-1] is False
    assert rig.incidents == [rig.reason]


def test_a_fault_never_clears_itself():
    rig = Rig().active()
    rig.report("xarm", HopState.FAULT, "C31")
    rig.report("xarm", HopState.IDLE)
    rig.run(5.0)
    assert rig.state is HopState.FAULT
    assert not rig.supervisor.request_arm().ok


def test_recover_ends_idle_when_the_drivers_are_well_and_says_so_when_not():
    rig = Rig().active()
    rig.report("xarm", HopState.FAULT, "C2 pressed")
    assert rig.supervisor.request_recover().ok
    assert rig.recover_calls == 1
    rig.run(6.0)
    assert rig.state is HopState.FAULT
    assert rig.supervisor.progress == "recovery failed"
    assert "C2 pressed" in rig.reason
    rig.supervisor.request_recover()
    rig.report("xarm", HopState.IDLE)
    rig.run(0.1)
    assert rig.state is HopState.IDLE
    assert rig.supervisor.arming_id == ""


@pytest.mark.parametrize("before", ["idle", "armed", "active"])
def test_an_estop_stops_everything_and_its_release_never_arms(before):
    rig = getattr(Rig(auto_arm=before != "idle"), before)()
    rig.supervisor.estop("button")
    assert rig.state is HopState.ESTOP
    assert not rig.supervisor.request_arm().ok
    assert not rig.supervisor.request_recover().ok
    count = len(rig.sent)
    rig.target()
    rig.run(3.0)
    assert rig.supervisor.request_clear_estop().ok
    rig.run(3.0)
    assert rig.state is HopState.IDLE
    assert len(rig.sent) == count


def test_a_fault_that_came_during_an_estop_is_the_robots_once_that_is_cleared():
    rig = Rig().active()
    rig.supervisor.estop("pressed")
    rig.report("allegro", HopState.FAULT, "unplugged")
    assert rig.state is HopState.ESTOP
    assert rig.supervisor.request_clear_estop().ok
    rig.run(0.1)
    assert (rig.state, rig.reason) == (HopState.FAULT, "allegro: unplugged")
    assert rig.supervisor.request_recover().ok
    rig.report("allegro", HopState.IDLE)
    rig.run(0.1)
    assert rig.state is HopState.IDLE


def test_clearing_an_estop_gives_the_drivers_a_new_clear_id():
    rig = Rig().active()
    before = rig.reports[-1].extra["clear_id"]
    rig.supervisor.estop("button")
    assert rig.reports[-1].extra["clear_id"] == before
    rig.supervisor.request_clear_estop()
    assert rig.reports[-1].extra["clear_id"] not in ("", before)


def test_a_drivers_own_estop_is_the_robots():
    rig = Rig().active()
    rig.report("xarm", HopState.ESTOP, "red button")
    assert rig.state is HopState.ESTOP


def test_a_driver_still_in_estop_blocks_arming():
    rig = Rig().active()
    rig.report("xarm", HopState.ESTOP, "red button")
    rig.supervisor.request_clear_estop()
    rig.run(1.5)
    answer = rig.supervisor.request_arm()
    assert not answer.ok
    assert "ESTOP" in answer.message


def test_a_driver_that_restarts_while_armed_disarms_the_robot():
    rig = Rig().active()
    rig.report("allegro", HopState.IDLE)
    rig.run(0.05)
    assert rig.state is HopState.IDLE
    assert "allegro is no longer armed" in rig.reason


@pytest.mark.parametrize("component", ["xarm", "allegro"])
def test_joint_states_that_stop_hold_then_fault(component):
    rig = Rig().active()
    rig.silent.add(component)
    states, followed = [], []
    for _ in range(40):
        sent = len(rig.sent)
        rig.target()
        followed.append(len(rig.sent) > sent)
        rig.run(0.025)
        states.append(rig.state)
    held = states.index(HopState.HOLD) + 1
    assert all(followed[:held])
    assert not any(followed[held:]), "while nobody knows where the robot is, nothing is followed"
    assert rig.supervisor.refusals["feedback"] > 0
    assert states.index(HopState.HOLD) < states.index(HopState.FAULT)
    assert rig.state is HopState.FAULT
    assert f"{component} has been silent" in rig.reason


def test_a_short_silence_without_a_source_ends_armed():
    rig = Rig().armed()
    rig.silent.add("xarm")
    rig.run(0.3)
    assert rig.state is HopState.HOLD
    rig.silent.clear()
    rig.run(0.1)
    assert rig.state is HopState.ARMED


def test_a_camera_that_stops_is_a_fault():
    rig = Rig().active()
    rig.silent.add("zed")
    for _ in range(40):
        rig.target()
        rig.run(0.025)
    assert rig.state is HopState.FAULT
    assert "zed" in rig.reason


def test_a_clock_that_was_set_while_armed_is_a_fault():
    rig = Rig().armed()
    rig.clock_step_ns = 20 * MS
    rig.run(1.5)
    assert rig.state is HopState.FAULT
    assert "clock" in rig.reason


def test_a_clock_that_was_set_while_idle_is_forgotten_before_the_next_arming():
    rig = Rig().idle()
    rig.clock_step_ns = 20 * MS
    rig.run(1.5)
    assert rig.armed().run(3.0).state is HopState.ARMED


def test_automatic_arming_happens_once_and_only_by_option():
    rig = Rig(auto_arm=True).idle()
    rig.run(0.5)
    assert rig.state is HopState.ARMED
    rig.supervisor.request_disarm()
    rig.run(3.0)
    assert rig.state is HopState.IDLE


def test_the_automatic_arming_and_no_later_one_gives_the_robot_away():
    rig = Rig(auto_arm=True, auto_source=Source.POLICY).idle()
    rig.run(0.5)
    assert rig.supervisor.source is Source.POLICY
    rig.supervisor.request_disarm()
    rig.run(1.0)
    rig.supervisor.request_arm()
    rig.run(0.5)
    assert rig.state is HopState.ARMED
    assert rig.supervisor.source is Source.NONE


def test_an_arming_by_hand_gives_the_robot_to_nobody():
    rig = Rig(auto_source=Source.POLICY).idle()
    rig.supervisor.request_arm()
    rig.run(0.5)
    assert rig.state is HopState.ARMED
    assert rig.supervisor.source is Source.NONE


def test_in_shadow_everything_runs_and_nothing_is_sent():
    rig = Rig(execute=False).active()
    away = E.home.copy()
    away[0] += 0.1
    for _ in range(10):
        rig.target(away)
        rig.now += 50 * MS
    assert rig.state is HopState.ACTIVE
    assert rig.sent == []
    assert rig.armed_calls == []
    assert rig.supervisor.divergence_rad == pytest.approx(0.1, abs=0.02)
    assert rig.reports[-1].extra["execute"] == "false"


def test_disarming_takes_effect_at_once():
    rig = Rig().active()
    assert rig.supervisor.request_disarm().ok
    assert rig.state is HopState.IDLE
    assert rig.armed_calls[-1] is False
    count = len(rig.sent)
    rig.run(1.0)
    assert len(rig.sent) == count


def test_home_needs_arming():
    assert not Rig().idle().supervisor.request_home().ok


class AnyOrder(RuleBasedStateMachine):
    """Any order of requests, reports, targets and silences."""

    def __init__(self):
        super().__init__()
        self.rig = Rig().idle()
        self.rig.reports.clear()
        self.requests = 0

    @rule()
    def arm(self):
        self.requests += self.rig.supervisor.request_arm().ok

    @rule(name=st.sampled_from(["disarm", "recover", "home", "clear_estop"]))
    def request(self, name):
        getattr(self.rig.supervisor, f"request_{name}")()

    @rule(source=st.sampled_from([Source.POLICY, Source.TELEOP]), take=st.booleans())
    def give(self, source, take):
        self.rig.supervisor.request_source(source, take)

    @rule(
        source=st.sampled_from([Source.POLICY, Source.TELEOP]),
        q=st.floats(-0.3, 0.3) | st.just(np.nan),
        arming_id=st.sampled_from([None, "zombie"]),
    )
    def target(self, source, q, arming_id):
        self.rig.target(E.home + q, arming_id, source)

    @rule(
        name=st.sampled_from(["xarm", "allegro", "zed"]),
        state=st.sampled_from([HopState.IDLE, HopState.FAULT, HopState.ESTOP]),
    )
    def report(self, name, state):
        self.rig.report(name, state, "r")

    @rule()
    def estop(self):
        self.rig.supervisor.estop("e")

    @rule(seconds=st.sampled_from([0.05, 0.3, 2.5]))
    def wait(self, seconds):
        self.rig.run(seconds)

    @rule(name=st.sampled_from(["xarm", "allegro", "zed"]))
    def silence(self, name):
        self.rig.silent ^= {name}

    @invariant()
    def every_motion_was_armed_by_a_request(self):
        armings = {r.arming_id for r in self.rig.reports if r.arming_id}
        assert len(armings) <= self.requests
        for before, after in itertools.pairwise(self.rig.reports):
            if after.state.may_move and not before.state.may_move:
                assert before.state is HopState.ARMING
            if before.state in (HopState.FAULT, HopState.ESTOP):
                assert not after.state.may_move

    @invariant()
    def a_disarmed_robot_has_neither_id_nor_source(self):
        supervisor = self.rig.supervisor
        if not (supervisor.state.may_move or supervisor.state is HopState.ARMING):
            assert supervisor.arming_id == ""
            assert supervisor.source is Source.NONE

    @invariant()
    def what_was_sent_is_finite(self):
        assert all(np.isfinite(target.q).all() for _, target in self.rig.sent[-60:])


AnyOrder.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
test_any_order = AnyOrder.TestCase
