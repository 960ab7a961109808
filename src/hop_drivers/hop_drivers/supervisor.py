"""The safety supervisor: who may move the robot, and when nobody may.

Pure state machine with an injected clock.

DISCONNECTED -> IDLE -> ARMING -> ARMED -> ACTIVE <-> HOLD, and FAULT and ESTOP from anywhere.
Nothing moves without arming, every arming has an id of its own, one source at a time has the robot,
and neither a fault nor an e-stop ever ends in motion.

While armed, the drivers get a target at 20 Hz without a break (the source's, the way home, or
"stay"), so that their own watchdogs disarm them when this process dies.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hop_core.clock import S_PER_NS
from hop_core.state import HOME_REACHED, HopState, Source
from hop_core.state_report import StateReport
from hop_drivers.supervisor_state import DRIVERS, Answer, SupervisorState
from hop_drivers.target import RefusedTarget, Target

_RECOVER_S = 5.0
_HOME_TOLERANCE_RAD = 1e-3
_HOME_BLOCKED_S = 1.0
_PERIOD_SLACK_NS = 5_000_000  # a tick that comes early must not lengthen the period by a tick


class Supervisor(SupervisorState):
    """See the module. Not thread-safe: the owner serialises all calls."""

    # Requests of the operator.

    def request_arm(self) -> Answer:
        """Arm under a new id, if everything is there and well."""
        if self.state is not HopState.IDLE:
            return Answer(False, f"cannot arm in {self.state}: {self.reason or 'disarm first'}")
        if blocker := self._blocker():
            return Answer(False, f"cannot arm: {blocker}")
        self._auto_arm = False
        self._clock.check()  # what was set before is no fault of this arming
        self.arming_id = self._new_id()
        self._enter(HopState.ARMING)
        if self._execute:
            self._effects.arm_drivers(True)
        return Answer(True, f"arming as {self.arming_id}")

    def request_disarm(self) -> Answer:
        """Disarm; in FAULT and ESTOP the robot is disarmed already."""
        if self.state.may_move or self.state is HopState.ARMING:
            self._disarm("disarmed on request")
        return Answer(True, "disarmed")

    def request_recover(self) -> Answer:
        """Ask the drivers to clear their faults.

        Ends in IDLE, or in FAULT with what is still in the way.
        """
        if self.state is not HopState.FAULT:
            return Answer(False, f"nothing to recover from in {self.state}")
        self._recover_until_ns = self._now_ns() + round(_RECOVER_S / S_PER_NS)
        self.progress = "recovering"
        self._publish()
        self._effects.recover_drivers()
        return Answer(True, "recovering; see /hop/state")

    def request_clear_estop(self) -> Answer:
        """Release the e-stop latches here and in the drivers; never arms."""
        if self.state is not HopState.ESTOP:
            return Answer(False, f"no e-stop to clear in {self.state}")
        self._clear_id = self._new_id()
        self._enter(HopState.IDLE, progress="e-stop cleared")
        return Answer(True, "e-stop cleared; arm again when the robot is clear")

    def request_home(self) -> Answer:
        """Take the robot from its source and move it home."""
        if not self.state.may_move:
            return Answer(False, f"cannot go home in {self.state}: arm first")
        self.source = Source.HOME
        self._stand_still()
        self._filter.set_speed(self._speed_scale * self._safety.motion.home_speed)
        self._home_moved_ns = self._now_ns()
        self._enter(HopState.ACTIVE, progress="going home")
        return Answer(True, "going home")

    def request_source(self, source: Source, take: bool) -> Answer:
        """Give the robot to a source, or take it away."""
        if not take:
            if self.source is source:
                self._rest(f"{source} released")
            return Answer(True, f"{source} does not have the robot")
        if not self.state.may_move:
            return Answer(False, f"cannot give the robot to {source} in {self.state}: arm first")
        if self.source not in (Source.NONE, source):
            return Answer(False, f"{self.source} has the robot; release it first")
        if self.source is not source:
            self.source = source
            self._publish()
        return Answer(True, f"{source} has the robot")

    def estop(self, reason: str) -> None:
        """Latch an emergency stop, from any state."""
        if self.state is not HopState.ESTOP:
            self._leave_motion(HopState.ESTOP, reason)

    # What arrives.

    def on_report(self, report: StateReport) -> None:
        """Take a component's state: its faults and e-stops are the robot's."""
        before = self._reports.get(report.component)
        self._reports[report.component] = report
        if report.component not in self._safety.required:
            return
        changed = before is None or before.state is not report.state
        if report.state is HopState.ESTOP and changed:
            self.estop(f"{report.component}: {report.reason}")
        elif report.state is HopState.FAULT and changed and self.state is not HopState.ESTOP:
            self._fault(f"{report.component}: {report.reason}")

    def on_target(self, source: Source, read: Callable[[], Target]) -> None:
        """Filter a source's target and pass it on, or refuse and count it.

        `read` raises RefusedTarget.
        """
        try:
            self._follow(source, read)
        except RefusedTarget as refusal:
            self.refusals[refusal.kind] += 1
            if (
                self.state is HopState.ARMED
                and self.reason != str(refusal)
                and refusal.kind == "first_target"
            ):
                self._enter(HopState.ARMED, str(refusal))

    def _follow(self, source: Source, read: Callable[[], Target]) -> None:
        if not self.state.may_move:
            raise RefusedTarget("disarmed", "target refused: the robot is not armed")
        if source is not self.source:
            raise RefusedTarget("source", f"target refused: {self.source} has the robot")
        if self._silent_feedback:
            raise RefusedTarget("feedback", "target refused: joint states are missing")
        target = read()
        if target.arming_id != self.arming_id:
            raise RefusedTarget("arming_id", "target refused: it belongs to another arming")
        if self.state is not HopState.ACTIVE:
            self._filter.check_first(target.q[0])
        safe, _ = self._filter.follow(target.stamp_ns, target.due_ns, target.q)
        now = self._now_ns()
        self._target_ns = self._sent_ns = now
        self._send(Target(self.arming_id, target.stamp_ns, target.due_ns, safe))
        if self.state is not HopState.ACTIVE:
            self._enter(HopState.ACTIVE)

    # Time.

    def tick(self) -> None:
        """Run the watchdogs and the motions of the supervisor's own; call at 40 Hz."""
        now = self._now_ns()
        if self._clock_was_set(now) and self.state.may_move:
            self._fault("the system clock was set while armed; check time synchronisation")
        elif self.state is HopState.DISCONNECTED:
            if not (missing := self._missing(now)):
                self._enter(HopState.IDLE)
            elif missing != self.reason:
                self._enter(HopState.DISCONNECTED, missing)
        elif self.state is HopState.IDLE:
            self._tick_idle(now)
        elif self.state is HopState.ARMING:
            self._tick_arming(now)
        elif self.state is HopState.FAULT:
            self._tick_fault(now)
        elif self.state.may_move:
            self._tick_armed(now)

    def _tick_idle(self, now: int) -> None:
        if missing := self._missing(now):
            self._enter(HopState.DISCONNECTED, missing)
        elif faulted := self._faulted():  # came while an e-stop was latched: recover ends it
            self._fault(f"{faulted[0].component}: {faulted[0].reason}")
        elif self._auto_arm and self._blocker() is None:
            self.request_arm()

    def _tick_arming(self, now: int) -> None:
        waiting = [name for name in DRIVERS if self._execute and not self._is_armed(name)]
        if not waiting:
            self._filter.reset(self.feedback.q)
            self.source, self._auto_source = self._auto_source, Source.NONE
            self._enter(HopState.ARMED)
        elif (now - self._since_ns) * S_PER_NS > self._watchdog.arming_s:
            self._fault(f"{', '.join(waiting)} did not arm within {self._watchdog.arming_s:g} s")

    def _tick_fault(self, now: int) -> None:
        if not self._recover_until_ns:
            return
        blocking = self._faulted()
        if not blocking:
            self._recover_until_ns = 0
            self._enter(HopState.IDLE, progress="recovered")
        elif now > self._recover_until_ns:
            self._recover_until_ns = 0
            self._enter(
                HopState.FAULT,
                f"{blocking[0].component}: {blocking[0].reason}",
                progress="recovery failed",
            )

    def _tick_armed(self, now: int) -> None:
        if self._lost_driver() or self._check_feedback(now):
            return
        if (
            self.state is HopState.HOLD
            and (now - self._since_ns) * S_PER_NS > self._watchdog.hold_disarm_s
        ):
            self._disarm(
                f"disarmed after {self._watchdog.hold_disarm_s:g} s of HOLD: {self.reason}"
            )
            return
        if self.state is HopState.ACTIVE and self.source is not Source.HOME:
            age_s = (now - self._target_ns) * S_PER_NS
            if age_s > self._watchdog.target_stale_s:
                self._hold(f"no target from {self.source} for {age_s:.2f} s")
        if now - self._sent_ns >= self._period_ns - _PERIOD_SLACK_NS and not (
            self.state is HopState.ACTIVE and self.source is not Source.HOME
        ):
            self._move_or_stay(now)

    def _move_or_stay(self, now: int) -> None:
        if self.source is Source.HOME and self.state is HopState.ACTIVE:
            self._step_home(now)
        self._sent_ns = now
        stamp = self._clock.to_ros(now)
        q = self._filter.q[None].copy()
        self._send(Target(self.arming_id, stamp, (stamp + self._period_ns,), q))

    def _step_home(self, now: int) -> None:
        before = self._filter.q
        step = self._filter.step(self._home, self._period_ns * S_PER_NS)
        if np.abs(step.q - self._home).max() < _HOME_TOLERANCE_RAD:
            self._rest(HOME_REACHED)
        elif not step.blocked_by or np.abs(step.q - before).max() > 0.1 * _HOME_TOLERANCE_RAD:
            self._home_moved_ns = now
        elif (now - self._home_moved_ns) * S_PER_NS > _HOME_BLOCKED_S:
            self._rest(
                f"the way home is blocked by {', '.join(step.blocked_by)}; jog clear of it first"
            )
