"""The state of one device driver and the only ways to change it; pure, thread-safe."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from hop_core.state import HopState

_LATCHED = (HopState.FAULT, HopState.ESTOP)


@dataclass(frozen=True, slots=True)
class DriverView:
    """What a driver says about itself: state, reason of it, arming id (empty when disarmed)."""

    state: HopState
    reason: str = ""
    arming_id: str = ""


class DriverState:
    """DISCONNECTED, IDLE, ARMING, ARMED, ACTIVE, HOLD, FAULT or ESTOP, with its reason.

    FAULT and ESTOP are latched: a fault ends only by `recover`, an e-stop only by `clear_estop`,
    and both end disarmed. An e-stop outranks a fault, and gives way to it again when it is cleared.
    `on_change` is called with each new view under the lock, so that views arrive in order; it must
    be quick and may not change the state.
    """

    def __init__(self, on_change: Callable[[DriverView], None]) -> None:
        self._on_change = on_change
        self._lock = threading.RLock()
        self._view = DriverView(HopState.DISCONNECTED, "not connected yet")
        self._connected = False
        self._fault: str | None = None  # reason of the fault that `recover` has not ended yet
        self._latch = ""  # reason of the latched state, without what was noted since

    @property
    def view(self) -> DriverView:
        """The present view."""
        return self._view

    @property
    def may_move(self) -> bool:
        """Whether commands may reach the device now."""
        return self._view.state.may_move

    @property
    def latched(self) -> bool:
        """Whether a fault or an emergency stop is in force."""
        return self._view.state in _LATCHED

    def _set(self, state: HopState, reason: str = "", arming_id: str = "") -> None:
        view = DriverView(state, reason, arming_id)
        if view != self._view:
            self._view = view
            self._on_change(view)

    def connected(self) -> None:
        """The device answers; comes up disarmed."""
        with self._lock:
            self._connected = True
            if self._view.state is HopState.DISCONNECTED:
                self._set(HopState.IDLE)

    def disconnected(self, reason: str) -> None:
        """The device is gone: a fault if it was armed, else just disconnected."""
        with self._lock:
            self._connected = False
            if self._view.state.may_move or self._view.state is HopState.ARMING:
                self.fault(reason)
            elif self._view.state not in _LATCHED:
                self._set(HopState.DISCONNECTED, reason)

    def begin_arming(self, arming_id: str) -> bool:
        """Starts arming under an id; False, with nothing changed, unless the driver is IDLE."""
        with self._lock:
            if self._view.state is not HopState.IDLE:
                return False
            self._set(HopState.ARMING, arming_id=arming_id)
            return True

    def armed(self, arming_id: str) -> bool:
        """Ends arming; False if something came between (a stop, a fault, another id)."""
        with self._lock:
            if self._view.state is not HopState.ARMING or self._view.arming_id != arming_id:
                return False
            self._set(HopState.ARMED, arming_id=arming_id)
            return True

    def following(self) -> None:
        """Fresh targets arrive: ARMED or HOLD becomes ACTIVE."""
        with self._lock:
            if self._view.state in (HopState.ARMED, HopState.HOLD):
                self._set(HopState.ACTIVE, arming_id=self._view.arming_id)

    def hold(self, reason: str) -> None:
        """Targets stopped: ACTIVE becomes HOLD."""
        with self._lock:
            if self._view.state is HopState.ACTIVE:
                self._set(HopState.HOLD, reason, self._view.arming_id)

    def disarm(self, reason: str = "") -> bool:
        """Ends an arming in whatever phase; False if there was none."""
        with self._lock:
            if not (self._view.state.may_move or self._view.state is HopState.ARMING):
                return False
            self._set(HopState.IDLE, reason)
            return True

    def fault(self, reason: str) -> None:
        """Latches a fault; the first reason stays."""
        with self._lock:
            if self._view.state not in _LATCHED:
                self._fault = self._latch = reason
                self._set(HopState.FAULT, reason)

    def estop(self, reason: str) -> None:
        """Latches an emergency stop, over anything."""
        with self._lock:
            if self._view.state is not HopState.ESTOP:
                self._latch = reason
                self._set(HopState.ESTOP, reason)

    def note(self, news: str) -> None:
        """Adds the newest to the reason of a latched state (it is confirmed, a recovery failed)."""
        with self._lock:
            if self.latched:
                self._set(self._view.state, f"{self._latch} ({news})")

    def clear_estop(self) -> None:
        """Releases the e-stop latch, not a fault that was there before; never arms."""
        with self._lock:
            if self._view.state is not HopState.ESTOP:
                return
            if self._fault is not None:
                self._latch = self._fault
                self._set(HopState.FAULT, self._fault)
            else:
                self._rest()

    def recovered(self) -> None:
        """Releases a fault; never arms."""
        with self._lock:
            if self._view.state is HopState.FAULT:
                self._fault = None
                self._rest()

    def _rest(self) -> None:
        if self._connected:
            self._set(HopState.IDLE)
        else:
            self._set(HopState.DISCONNECTED, "not connected")
