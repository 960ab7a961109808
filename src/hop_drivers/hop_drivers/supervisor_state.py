"""What the supervisor knows, its watchdogs and the transitions between its states; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from hop_core.clock import S_PER_NS, ClockOffset
from hop_core.embodiment import Embodiment
from hop_core.safety_config import SafetyConfig
from hop_core.state import HopState, Source
from hop_core.state_report import StateReport
from hop_drivers.driver import CLEAR_KEY
from hop_drivers.feedback import Feedback
from hop_drivers.safety_filter import SafetyFilter
from hop_drivers.target import Target

_CLOCK_CHECK_S = 1.0
DRIVERS = ("xarm", "allegro")


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a request: whether it was accepted, and what happens or what is in the way."""

    ok: bool
    message: str


class Effects(Protocol):
    """What the supervisor does to the world; each call returns at once."""

    def publish_state(self, report: StateReport) -> None:
        """Publish on /hop/state."""

    def send(self, target: Target) -> None:
        """Publish a filtered target for the drivers."""

    def arm_drivers(self, arm: bool) -> None:
        """Call the drivers' arm services."""

    def recover_drivers(self) -> None:
        """Call the drivers' recover services."""

    def write_incident(self, reason: str) -> None:
        """Write down the last seconds before a fault."""


class SupervisorState:
    """State, reason, source and arming id, and what must happen when they change.

    Attributes:
        state, reason, source, arming_id, progress: as published.
        feedback: what is known of the robot.
        refusals: refused targets by reason.
    """

    def __init__(
        self, embodiment: Embodiment, safety: SafetyConfig, safety_filter: SafetyFilter,
        effects: Effects, clock: ClockOffset, now_ns: Callable[[], int],
        new_id: Callable[[], str], *,
        execute: bool = True, auto_arm: bool = False, auto_source: Source = Source.NONE,
        speed_scale: float = 1.0,
    ) -> None:  # fmt: skip
        self._home = np.array(embodiment.home)
        self._period_ns = round(1e9 / embodiment.rates.policy_hz)
        self._safety, self._watchdog = safety, safety.watchdog
        self._filter = safety_filter
        self._effects = effects
        self._clock = clock
        self._now_ns = now_ns
        self._new_id = new_id
        self._execute = execute
        self._auto_arm = auto_arm
        self._auto_source = auto_source if auto_arm else Source.NONE
        self._speed_scale = speed_scale
        self.feedback = Feedback(safety.required)
        self.refusals: Counter[str] = Counter()
        self.state = HopState.DISCONNECTED
        self.reason = "waiting for " + ", ".join(safety.required)
        self.source = Source.NONE
        self.arming_id = self.progress = self._clear_id = ""
        self._reports: dict[str, StateReport] = {}
        self._since_ns = self._target_ns = self._sent_ns = self._home_moved_ns = self._clock_ns = (
            now_ns()
        )
        self._recover_until_ns = 0
        self._silent_feedback = False
        self._filter.set_speed(speed_scale)
        self._publish()

    def _missing(self, now: int) -> str:
        for name in self._safety.required:
            report = self._reports.get(name)
            if report is None:
                return f"{name} has not reported yet"
            if report.state is HopState.DISCONNECTED:
                return f"{name}: {report.reason}"
            if (age_s := self.feedback.streams[name].age_s(now)) > self._watchdog.feedback_fault_s:
                return (
                    f"{name} is silent" if age_s < float("inf") else f"{name} has not sent data yet"
                )
        return ""

    def _blocker(self) -> str | None:
        now = self._now_ns()
        for report in self._required_reports():
            if report.state in (HopState.FAULT, HopState.ESTOP, HopState.DISCONNECTED):
                return f"{report.component} is in {report.state}: {report.reason}"
        for name in self._safety.required:
            fresh_s = self.feedback.streams[name].fresh_s(now)
            if fresh_s < self._watchdog.fresh_before_arming_s:
                return f"{name} has been fresh for {fresh_s:.1f} s only; wait a moment"
        return self._missing(now) or None

    def _required_reports(self) -> list[StateReport]:
        return [self._reports[name] for name in self._safety.required if name in self._reports]

    def _faulted(self) -> list[StateReport]:
        return [r for r in self._required_reports() if r.state is HopState.FAULT]

    def _is_armed(self, name: str) -> bool:
        report = self._reports.get(name)
        return report is not None and report.state.may_move and report.arming_id == self.arming_id

    def _lost_driver(self) -> bool:
        for name in DRIVERS if self._execute else ():
            if not self._is_armed(name):
                report = self._reports[name]
                self._disarm(f"{name} is no longer armed: {report.reason or report.state}")
                return True
        return False

    def _check_feedback(self, now: int) -> bool:
        worst, age_s = self.feedback.oldest(self._safety.required, now)
        if age_s > self._watchdog.feedback_fault_s:
            self._fault(f"{worst} has been silent for {age_s:.2f} s; check its node and cable")
            return True
        worst, age_s = self.feedback.oldest(DRIVERS, now)
        silent = age_s > self._watchdog.feedback_hold_s
        if silent and self.state in (HopState.ACTIVE, HopState.ARMED):
            self._hold(f"{worst} joint states are {age_s:.2f} s old")
        elif (
            self._silent_feedback
            and not silent
            and self.state is HopState.HOLD
            and self.source is Source.NONE
        ):
            self._enter(HopState.ARMED)
        self._silent_feedback = silent
        return False

    def _clock_was_set(self, now: int) -> bool:
        """Look once a second, in every state: each look makes the offset between clocks anew."""
        if (now - self._clock_ns) * S_PER_NS < _CLOCK_CHECK_S:
            return False
        self._clock_ns = now
        return not self._clock.check()

    def _hold(self, reason: str) -> None:
        self._stand_still()
        if self.source is Source.HOME:
            self.source = Source.NONE
            self._filter.set_speed(self._speed_scale)
        self._enter(HopState.HOLD, reason)

    def _rest(self, progress: str) -> None:
        """Ends a source's turn: armed, at rest at the last command."""
        self.source = Source.NONE
        self._stand_still()
        self._filter.set_speed(self._speed_scale)
        self._enter(HopState.ARMED, progress=progress)

    def _stand_still(self) -> None:
        """Stay where the commands have got to, not where they were planned to go."""
        self._filter.stop(self._clock.to_ros(self._now_ns()))

    def _disarm(self, reason: str) -> None:
        self._leave_motion(HopState.IDLE, reason)

    def _fault(self, reason: str) -> None:
        if self.state not in (HopState.FAULT, HopState.ESTOP):
            was_armed = self.state.may_move or self.state is HopState.ARMING
            self._recover_until_ns = 0
            self._leave_motion(HopState.FAULT, reason)
            if was_armed:
                self._effects.write_incident(reason)

    def _leave_motion(self, state: HopState, reason: str) -> None:
        """Ends every permission to move; never armed again by itself."""
        self._auto_arm = False
        self._auto_source = Source.NONE
        self.source = Source.NONE
        self.arming_id = ""
        self._filter.set_speed(self._speed_scale)
        self._enter(state, reason)
        if self._execute:
            self._effects.arm_drivers(False)

    def _enter(self, state: HopState, reason: str = "", progress: str = "") -> None:
        if state is not self.state:
            self._since_ns = self._now_ns()
        self.state, self.reason, self.progress = state, reason, progress
        self._publish()

    def _send(self, target: Target) -> None:
        if self._execute:
            self._effects.send(target)

    def _publish(self) -> None:
        extra = {
            CLEAR_KEY: self._clear_id,
            "execute": str(self._execute).lower(),
            "speed_scale": f"{self._speed_scale:g}",
        }
        self._effects.publish_state(
            StateReport(
                "supervisor",
                self.state,
                self.reason,
                self.source,
                self.arming_id,
                self.progress,
                extra,
            )
        )

    @property
    def divergence_rad(self) -> float:
        """Largest distance between the filtered command and the measured joints [rad].

        Of interest in shadow mode.
        """
        return float(np.abs(self._filter.q - self.feedback.q).max()) if self.state.may_move else 0.0
