"""What the arm's and the hand's drivers share.

Connection, arming, e-stop and recovery, each away from the control loop.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from hop_core.clock import ClockOffset
from hop_core.errors import DeviceError
from hop_core.safety_config import SafetyConfig
from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_drivers.device import Device
from hop_drivers.device_link import AdapterT, DeviceLink
from hop_drivers.driver_state import DriverState, DriverView
from hop_drivers.follower import Follower, Phase
from hop_drivers.target import Refusals, RefusedTarget, Target

_RECONNECT_S = 1.0
_WORKER_PERIOD_S = 0.1
_STOP_AGAIN_S = 0.1
_ID_WAIT_S = 1.0
_log = logging.getLogger(__name__)
CLEAR_KEY = "clear_id"
"""Extra key of the supervisor's /hop/state: a new value releases the drivers' e-stop latches."""


class Driver(Device[AdapterT]):
    """Keeps one device connected and lets commands through only while it is armed.

    Three threads: the control loop of the subclass, which never waits for anything slow; a worker
    for connecting, arming, disarming and recovering; and one for emergency stops, so that a stop
    waits for nobody. Requests may come from any thread and return at once; the outcome is on
    `state`.

    Attributes:
        last_resort: what a person can do where the device cannot be told to stop.
    """

    last_resort: ClassVar[str]

    def __init__(
        self, name: str, make_adapter: Callable[[], AdapterT], safety: SafetyConfig,
        follower: Follower, clock: ClockOffset, on_change: Callable[[DriverView], None],
    ) -> None:  # fmt: skip
        self.name = name
        self.link = DeviceLink(name, make_adapter, self.last_resort)
        self.state = DriverState(on_change)
        self.follower = follower
        self.refusals = Refusals()
        self._safety = safety
        self._clock = clock
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._stop_wanted = threading.Event()
        self._stop_owed = False  # asked for, and not confirmed since
        self._rests = True  # whether the device came to rest when it was let go
        self._offered_id = ""
        self._used_ids: set[str] = set()
        self._arm_wanted_until = 0.0
        self._clear_id: str | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-worker", daemon=True),
            threading.Thread(target=self._watch_stop, name=f"{name}-estop", daemon=True),
        ]

    def start(self) -> None:
        """Start the threads; the device is connected in the background."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Disarm, stop the threads and let go of the device."""
        self.state.disarm("the driver ends")
        self._stopping.set()
        self._stop_wanted.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(5.0)
        self._rests = self.link.close() and not self._stop_owed

    @property
    def workers_alive(self) -> bool:
        """Whether the worker and the e-stop thread live: without them nothing arms or stops."""
        return all(thread.is_alive() for thread in self._threads)

    # Requests.

    def request_arm(self) -> str:
        """Ask to be armed under the supervisor's newest id; returns what will happen."""
        self._arm_wanted_until = time.monotonic() + _ID_WAIT_S
        self._try_arm()
        return "arming; see /hop/state"

    def request_disarm(self) -> str:
        """Disarm now."""
        self._arm_wanted_until = 0.0
        self._disarm("disarmed on request")
        return "disarmed"

    def request_recover(self) -> str:
        """Clear a fault; the outcome, with what is still in the way, is on /hop/state."""
        self._jobs.put(self._recover)
        return "recovering; see /hop/state"

    def request_estop(self, reason: str) -> None:
        """Latch an emergency stop and stop the device on its own connection."""
        self.state.estop(reason)
        self._want_stop()

    def on_supervisor(self, report: StateReport) -> None:
        """Follow the supervisor's state.

        New arming ids, its disarming, its release of an e-stop.
        """
        clear_id = report.extra.get(CLEAR_KEY, "")
        # A supervisor that was started anew has cleared nothing: its id is empty.
        if clear_id and self._clear_id is not None and clear_id != self._clear_id:
            self.state.clear_estop()
        self._clear_id = clear_id
        # Only while it is ARMING may its id be taken up: an arming that failed is no offer.
        self._offered_id = report.arming_id if report.state is HopState.ARMING else ""
        self._try_arm()
        mine = self.state.view.arming_id
        if mine and (
            report.arming_id != mine
            or not (report.state.may_move or report.state is HopState.ARMING)
        ):
            self._disarm(f"the supervisor went to {report.state}")

    def offer(self, read: Callable[[], Target]) -> None:
        """Take a target, or count why not; `read` raises RefusedTarget."""
        try:
            target = read()
            mine = self.state.view.arming_id
            if not mine or target.arming_id != mine:
                raise RefusedTarget("arming_id", "target refused: it belongs to another arming")
        except RefusedTarget as refusal:
            self.refusals[refusal.kind] += 1
            return
        self.follower.offer(target, time.monotonic_ns())

    # Threads.

    def _work(self) -> None:
        next_try = next_clock = 0.0
        while not self._stopping.is_set():
            try:
                job = self._jobs.get(timeout=_WORKER_PERIOD_S)
            except queue.Empty:
                job = None
            if job is not None:
                job()
            now = time.monotonic()
            if self.link.adapter is None and now >= next_try:
                next_try = now + _RECONNECT_S
                self._reconnect()
            if now >= next_clock:
                next_clock = now + 1.0
                self._check_clock()

    def _reconnect(self) -> None:
        try:
            self.link.open(self._opened)
        except DeviceError as error:
            self.state.disconnected(str(error))
            return
        self.state.connected()
        if self.state.latched or self._stop_owed:  # it may not have reached the device
            self._want_stop()

    def _check_clock(self) -> None:
        if not self._clock.check() and self.state.may_move:
            self.fault(
                "the system clock was set while armed; check time synchronisation, then call the "
                "recover service"
            )

    def _watch_stop(self) -> None:
        while not self._stopping.is_set():
            self._stop_wanted.wait()
            self._stop_wanted.clear()
            if self._stopping.is_set():
                continue
            try:
                self.link.stop(self._stop)
                self._stop_owed = False
            except DeviceError as error:
                self.state.note(str(error))
                self._repeat_stop()
            except Exception as error:  # whatever it was, the next stop must find this thread alive
                _log.exception("%s: stopping failed", self.name)
                self.state.note(f"the stop of {self.name} is not confirmed: {error!r}")
                self._repeat_stop()

    def _want_stop(self) -> None:
        self._stop_owed = True
        self._stop_wanted.set()

    def _repeat_stop(self) -> None:
        """Stop again while there is a device; without one, when it is connected again."""
        if self.link.adapter is not None and not self._stopping.wait(_STOP_AGAIN_S):
            self._stop_wanted.set()

    # Transitions.

    def _try_arm(self) -> None:
        arming_id = self._offered_id
        if (
            not arming_id
            or arming_id in self._used_ids
            or time.monotonic() > self._arm_wanted_until
        ):
            return
        if not self.state.begin_arming(arming_id):
            return
        self._used_ids.add(arming_id)
        self._jobs.put(lambda: self._arm(arming_id))

    def _arm(self, arming_id: str) -> None:
        self._clock.check()  # what was set before is no fault of this arming
        try:
            self._enable()
        except DeviceError as error:
            self.fault(str(error))
            return
        self.follower.arm()
        if not self.state.armed(arming_id):
            self._halt()

    def _follow_phase(self) -> None:
        """Let the state say what the follower does; from the control loop, after each step."""
        phase = self.follower.phase
        if phase is Phase.FOLLOWING:
            self.state.following()
        elif phase is Phase.STALE:
            self.state.hold(phase.value)
        elif phase is Phase.EXPIRED:
            self._disarm(phase.value)

    def _disarm(self, reason: str) -> None:
        if self.state.disarm(reason):
            self._jobs.put(self._halt)

    def _halt(self) -> None:
        if self.state.may_move:
            return
        if self.link.adapter is None:
            self._stop_owed = True
            return
        try:
            self._disable()
        except DeviceError as error:
            self.fault(str(error))

    def _recover(self) -> None:
        try:
            self._clear()
        except DeviceError as error:
            self.state.note(str(error))
            return
        self.state.recovered()

    def _lose(self, adapter: AdapterT, reason: str) -> None:
        """Take `adapter`, which fell silent, out of use; from the control loop."""
        if adapter is self.link.adapter:
            self.state.disconnected(reason)  # before the worker may connect anew
            self.link.lose(adapter)
            if self.state.latched:
                self._want_stop()

    def _following(self) -> Mapping[str, object]:
        """Return figures of the targets for /diagnostics."""
        return {
            "target_wait_p99_ms": self.follower.wait_ms.quantile(0.99),
            "restarts_from_measured": self.follower.restarts,
            "velocity_limited": self.follower.limited,
            **{f"refused_{kind}": count for kind, count in self.refusals.items()},
        }

    def fault(self, reason: str) -> None:
        """Latch a fault and stop the device; callable from the control loop."""
        self.state.fault(reason)
        self._want_stop()
