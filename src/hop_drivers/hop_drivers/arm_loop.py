"""The arm's driver.

120 Hz on absolute deadlines, poll the joints, follow targets while armed, watch everything each
tick.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from hop_core.clock import S_PER_NS, ClockOffset
from hop_core.embodiment import ARM, Embodiment
from hop_core.errors import DeviceError
from hop_core.rate import DeadlineLoop, QuantileRing
from hop_core.robot_config import ArmConfig
from hop_core.safety_config import SafetyConfig
from hop_core.state import HopState
from hop_drivers.arm_adapter import ArmAdapter, ArmReading
from hop_drivers.driver import Driver
from hop_drivers.driver_state import DriverView
from hop_drivers.follower import device_follower, strayed

_log = logging.getLogger(__name__)
_ERROR_S = 0.5  # of reports: one that was under way while the error was cleared is no news


class ArmDriver(Driver[ArmAdapter]):
    """Runs one arm.

    `on_reading` is called from the control loop with every polled joint state: it must be quick.
    """

    last_resort = "press the red button"

    def __init__(
        self,
        config: ArmConfig,
        embodiment: Embodiment,
        safety: SafetyConfig,
        make_adapter: Callable[[ArmConfig], ArmAdapter],
        on_reading: Callable[[ArmReading], None],
        on_change: Callable[[DriverView], None],
        clock: ClockOffset | None = None,
    ) -> None:
        clock = clock or ClockOffset(step_limit_ns=round(1e9 * safety.watchdog.clock_step_s))
        follower = device_follower(embodiment, safety, ARM)
        super().__init__("xarm", lambda: make_adapter(config), safety, follower, clock, on_change)
        self._config = config
        self._on_reading = on_reading
        self._last_good_ns = 0
        self._failed_reads = 0
        self._error_ticks = 0
        self._call_ms = QuantileRing()
        period_ns = round(1e9 / embodiment.rates.arm_hz)
        self._dt_s = period_ns * S_PER_NS
        self.loop = DeadlineLoop(period_ns, self._tick, "xarm-120hz")

    def start(self) -> None:
        """Start the worker and the control loop."""
        super().start()
        self.loop.start()

    def close(self) -> None:
        """Stop the arm, end the loop, disconnect; says so where the arm may still have power."""
        moving = self.state.may_move
        self.state.disarm("the driver ends")
        self.loop.stop()
        if self._stop_owed or (moving and not self._is_halted()):
            self._stop_at_last()
        super().close()

    def _is_halted(self) -> bool:
        try:
            self._disable()
        except DeviceError:
            return False
        return True

    def _stop_at_last(self) -> None:
        try:
            self.link.stop(self._stop)
        except DeviceError as error:
            _log.error("%s", error)
        else:
            self._stop_owed = False

    @property
    def running(self) -> bool:
        """Whether the control loop is alive."""
        return self.loop.running

    @property
    def loop_error(self) -> str:
        """What ended the control loop, in words."""
        return repr(self.loop.error)

    # The control loop.

    def _tick(self, _deadline_ns: int) -> None:
        adapter = self.link.adapter
        if adapter is None:
            return
        now_ns = time.monotonic_ns()
        try:
            reading = adapter.read()
        except DeviceError as error:
            self._read_failed(adapter, now_ns, str(error))
            return
        self._last_good_ns = now_ns
        self._on_reading(reading)
        if self.state.may_move:
            try:
                self._command(adapter, reading, time.monotonic_ns())
            except DeviceError as error:
                self.fault(str(error))
        else:
            self._watch_idle(adapter)
        self._call_ms.add((time.monotonic_ns() - now_ns) * 1e-6)

    def _watch_idle(self, adapter: ArmAdapter) -> None:
        """Make an error of the box a fault though nothing moves: no arming may pass over it."""
        error = adapter.reported_error() if self.state.view.state is HopState.IDLE else None
        self._error_ticks = self._error_ticks + 1 if error else 0
        if error and self._error_ticks * self._dt_s > _ERROR_S:
            self.fault(error)

    def _command(self, adapter: ArmAdapter, reading: ArmReading, now_ns: int) -> None:
        if reason := adapter.fault():
            self.fault(reason)
            return
        q = self.follower.step(now_ns, reading.q, self._dt_s)
        if told := strayed(q, reading.q, self._safety.watchdog.tracking_error_rad):
            self.fault(f"{told}; look for an obstacle or a wrong payload")
            return
        self._follow_phase()
        if self.state.may_move:
            adapter.servo(q)

    def _read_failed(self, adapter: ArmAdapter, now_ns: int, reason: str) -> None:
        self._failed_reads += 1
        silent_s = (now_ns - self._last_good_ns) * S_PER_NS
        if silent_s > self._config.silence_s:
            self._lose(adapter, f"{reason}; silent for {silent_s:.2f} s")

    # The device, from the worker.

    def _opened(self) -> None:
        self._last_good_ns = time.monotonic_ns()

    def _enable(self) -> None:
        self.link.present().enable()

    def _disable(self) -> None:
        self.link.present().halt()

    def _clear(self) -> None:
        self.link.present().clear()

    def _stop(self, adapter: ArmAdapter) -> None:
        adapter.stop()
        self.state.note("the arm confirmed the stop")

    def diagnostics(self) -> Mapping[str, object]:
        """Return loop statistics and counters."""
        stats = self.loop.stats()
        return {
            "hz": stats.hz,
            "ticks": stats.ticks,
            "missed": stats.missed,
            "late_p50_ms": stats.late_p50_ms,
            "late_p99_ms": stats.late_p99_ms,
            "call_p50_ms": self._call_ms.quantile(0.5),
            "call_p99_ms": self._call_ms.quantile(0.99),
            "failed_reads": self._failed_reads,
            **self._following(),
        }
