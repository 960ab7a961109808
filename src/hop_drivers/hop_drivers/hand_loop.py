"""The hand's driver.

Locked to the hand's own 3 ms position sets, PD torque on each set while armed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from hop_core.clock import ClockOffset
from hop_core.embodiment import HAND, Embodiment
from hop_core.errors import DeviceError
from hop_core.rate import QuantileRing
from hop_core.robot_config import HandConfig
from hop_core.safety_config import SafetyConfig
from hop_drivers.allegro_can import HandInfo, Status
from hop_drivers.driver import Driver
from hop_drivers.driver_state import DriverView
from hop_drivers.follower import device_follower
from hop_drivers.hand_adapter import HandAdapter
from hop_drivers.hand_guard import HandGuard
from hop_drivers.hand_pd import HandPd
from hop_drivers.position_sets import SetClock

_IDLE_S = 0.01
_INFO_NS = 1_000_000_000
_INFO_SILENT_NS = 5 * _INFO_NS
_TELLS_NOTHING = (
    f"the hand has told neither temperature nor status for {_INFO_SILENT_NS * 1e-9:g} s; check the "
    "bus"
)
_ANSWERS_TO_TRUST = 1  # one may have been under way when the servo was switched on


@dataclass(frozen=True, slots=True)
class HandReading:
    """One set of the hand's joints.

    Attributes:
        q: (16,) [rad], order HAND_JOINTS.
        qd: (16,) filtered [rad/s].
        effort: (16,) commanded [Nm].
        stamp_ns: when the set was complete, ROS time.
    """

    q: np.ndarray
    qd: np.ndarray
    effort: np.ndarray
    stamp_ns: int


class HandDriver(Driver[HandAdapter]):
    """Runs one hand.

    `on_reading` is called from the control loop with every 2nd set: it must be quick.
    """

    last_resort = "switch off its supply"

    def __init__(
        self,
        config: HandConfig,
        embodiment: Embodiment,
        safety: SafetyConfig,
        make_adapter: Callable[[HandConfig], HandAdapter],
        on_reading: Callable[[HandReading], None],
        on_change: Callable[[DriverView], None],
        clock: ClockOffset | None = None,
        guard: bool = True,
    ) -> None:
        clock = clock or ClockOffset(step_limit_ns=round(1e9 * safety.watchdog.clock_step_s))
        follower = device_follower(embodiment, safety, HAND)
        super().__init__(
            "allegro", lambda: make_adapter(config), safety, follower, clock, on_change
        )
        self._config = config
        self._on_reading = on_reading
        self._guard_wanted = guard
        self._guard: HandGuard | None = None
        self.pd = HandPd(embodiment.hand, torque_scale=config.torque_scale)
        self._nm_per_unit = embodiment.hand.torque_per_unit_nm
        self._publish_every = embodiment.rates.hand_publish_every
        self._torque = np.zeros(self.pd.position.shape)
        self.sets = SetClock(embodiment.rates.hand_period_s)
        self._work_ms = QuantileRing()
        self._enabled = False
        self._fresh = True
        self._answered = 0
        self._next_poll_ns = 0
        self._judged: HandInfo | None = None
        self._told_ns = 0  # when it came
        self._judged_ns = 0  # since when its silence counts, while armed
        self._answers = 0  # of the hand about itself, since the servo was switched on
        self._loop = threading.Thread(target=self._run, name="allegro-sets", daemon=True)

    def start(self) -> None:
        """Start the worker and the control loop."""
        super().start()
        self._loop.start()

    def close(self) -> None:
        """Take the torque off, end the loop, disconnect, release the guard."""
        self.state.disarm("the driver ends")
        self._stopping.set()
        if self._loop.is_alive():
            self._loop.join(2.0)  # before the bus is closed under it
        super().close()
        if self._guard is not None:
            self._guard.release(all_is_well=self._rests)

    @property
    def running(self) -> bool:
        """Whether the control loop is alive."""
        return self._loop.is_alive()

    # The control loop.

    def _run(self) -> None:
        while not self._stopping.is_set():
            adapter = self.link.adapter
            if adapter is None:
                time.sleep(_IDLE_S)
                continue
            try:
                q = adapter.receive()
                self._listen(adapter.info)
                if q is not None:
                    self._on_set(adapter, q)
            except DeviceError as error:
                if not self._stopping.is_set():
                    self._lose(adapter, str(error))

    def _on_set(self, adapter: HandAdapter, q: np.ndarray) -> None:
        now_ns = time.monotonic_ns()
        stamp_ns = time.time_ns()
        dt_s = self.sets.add(now_ns)
        if dt_s is None:
            return
        if self.sets.stalled:  # what came meanwhile waits: the newest of it is how things are
            newest, waiting = adapter.newest()
            if newest is not None:
                q, stamp_ns = newest, time.time_ns()
                self.sets.skip(waiting)
        self._answered += 1
        if self._fresh:
            self._fresh = False
            self.pd.reset(q)
        self.pd.observe(q, dt_s)
        if self._enabled and self.state.may_move:
            goal = self.follower.step(now_ns, self.pd.position, dt_s)
            self._torque = self.pd.step(goal, dt_s)
            adapter.send_torque(self.pd.counts(self._torque))
            self._follow_phase()
        elif self._torque.any():
            self._torque = np.zeros_like(self._torque)
            self.pd.disable()
        if self._answered % self._publish_every == 0:
            self._on_reading(
                HandReading(q, self.pd.velocity.copy(), self._torque * self._nm_per_unit, stamp_ns)
            )
        if now_ns >= self._next_poll_ns:  # by the clock: a machine that drops sets asks as often
            self._next_poll_ns = now_ns + _INFO_NS
            adapter.poll_info()
        self._work_ms.add((time.monotonic_ns() - now_ns) * 1e-6)

    def _listen(self, info: HandInfo | None) -> None:
        """Judge each answer of the hand once, as it comes; none for long is a fault too."""
        now_ns = time.monotonic_ns()
        if info is not None and info is not self._judged:
            self._judged, self._told_ns, self._judged_ns = info, now_ns, now_ns
            if self.state.may_move:
                self._check_health(info)
        elif self.state.may_move and now_ns - self._judged_ns > _INFO_SILENT_NS:
            self._judged_ns = now_ns
            self.fault(f"{_TELLS_NOTHING}, then recover")

    def _check_health(self, info: HandInfo) -> None:
        if reason := self._unwell(info):
            self.fault(reason)
        self._answers += 1
        if self._answers > _ANSWERS_TO_TRUST and not info.status & Status.SERVO_ON:
            self.fault("the hand switched its torque off; check its supply, then recover")

    def _unwell(self, info: HandInfo) -> str:
        """Why the hand may not have torque by what it says; empty if it may."""
        if info.temperature_c >= self._config.stop_c or info.status & Status.OVER_TEMPERATURE:
            return (
                f"the hand is at {info.temperature_c} degC (limit {self._config.stop_c:g}); let "
                "it cool down"
            )
        if info.status & Status.INTERNAL_COMMUNICATION:
            return "the hand reports an internal communication error; switch it off and on"
        return ""

    # The device, from the worker.

    def _opened(self) -> None:
        self._told_ns = time.monotonic_ns()  # it was identified by it
        self._enabled = False
        self.sets.reset()
        self._fresh = True

    def _enable(self) -> None:
        adapter = self.link.present()
        self._require_well()
        if self._guard is not None and not self._guard.alive:
            self._guard.release(all_is_well=True)
            self._guard = None
        if self._guard_wanted and self._guard is None:
            self._guard = HandGuard(self._config)
        self.pd.disable()
        self._answers = 0
        self._judged_ns = time.monotonic_ns()
        adapter.servo(True)
        self._enabled = True

    def _disable(self) -> None:
        self._enabled = False
        self.link.present().servo(False)

    def _clear(self) -> None:
        info = self._require_well()
        if info.temperature_c >= self._config.warn_c:
            raise DeviceError(
                f"the hand is still at {info.temperature_c} degC; let it cool below "
                f"{self._config.warn_c:g}"
            )

    def _require_well(self) -> HandInfo:
        """Return what the hand says about itself; raises DeviceError if it may have no torque."""
        info = self.link.present().info
        if info is None or time.monotonic_ns() - self._told_ns > _INFO_SILENT_NS:
            raise DeviceError(_TELLS_NOTHING)
        if reason := self._unwell(info):
            raise DeviceError(reason)
        return info

    def _stop(self, adapter: HandAdapter) -> None:
        self._enabled = False
        adapter.servo(False)
        self.state.note("the hand was told to switch off")  # in place of a try that failed

    def diagnostics(self) -> Mapping[str, object]:
        """Return stream statistics and counters."""
        adapter = self.link.adapter
        info = adapter.info if adapter is not None else None
        return {
            "sets": self.sets.sets,
            "missing_sets": self.sets.missing,
            "burst_sets": self.sets.bursts,
            "incomplete_sets": adapter.incomplete_sets if adapter is not None else 0,
            "bus_errors": adapter.bus_errors if adapter is not None else 0,
            "gap_p50_ms": self.sets.gap_ms.quantile(0.5),
            "gap_p99_ms": self.sets.gap_ms.quantile(0.99),
            "work_p50_ms": self._work_ms.quantile(0.5),
            "work_p99_ms": self._work_ms.quantile(0.99),
            "saturated": self.pd.saturated,
            "temperature_c": info.temperature_c if info is not None else "unknown",
            **self._following(),
        }
