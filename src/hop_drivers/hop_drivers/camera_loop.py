"""The camera's driver: opens, grabs and reopens on one thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from hop_core.errors import DeviceError
from hop_core.rate import QuantileRing
from hop_core.robot_config import CameraConfig
from hop_core.state import HopState
from hop_drivers.driver_state import DriverView
from hop_drivers.zed import CameraAdapter, DepthFrame, Intrinsics

_REOPEN_S = 1.0
_SILENT_S = 0.5
_AHEAD_NS = 1_000_000_000


class CameraDriver:
    """Keeps a camera streaming.

    A camera that stops is a fault until frames flow again: it moves nothing, so nothing latches.

    `on_frame(frame, intrinsics)` and `on_change(view)` are called from the camera's thread;
    `on_change` also from `check`.
    """

    def __init__(
        self,
        config: CameraConfig,
        make_adapter: Callable[[CameraConfig], CameraAdapter],
        on_frame: Callable[[DepthFrame, Intrinsics], None],
        on_change: Callable[[DriverView], None],
    ) -> None:
        self._config = config
        self._make_adapter = make_adapter
        self._on_frame = on_frame
        self._on_change = on_change
        self._view = DriverView(HopState.DISCONNECTED, "not connected yet")
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._last = 0.0
        self._first = 0.0
        self._last_stamp_ns = 0
        self._frames = self._opened = self._repeated = self._skipped = 0
        self._age_ms = QuantileRing()
        self._work_ms = QuantileRing()
        self._thread = threading.Thread(target=self._run, name="zed-grab", daemon=True)

    def start(self) -> None:
        """Start grabbing in the background."""
        self._on_change(self._view)
        self._thread.start()

    def close(self) -> None:
        """Stop grabbing and let go of the camera."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5.0)

    @property
    def running(self) -> bool:
        """Whether the grabbing thread is alive: what no DeviceError explains has ended it."""
        return self._thread.is_alive()

    def check(self) -> None:
        """Notice a grab that never returns; call about ten times a second."""
        streaming = self._view.state is HopState.IDLE
        if streaming and (silent_s := time.monotonic() - self._last) > _SILENT_S:
            self._set(
                HopState.FAULT, f"the camera sent no frame for {silent_s:.1f} s; check its cable"
            )

    def _set(self, state: HopState, reason: str = "") -> None:
        view = DriverView(state, reason)
        with self._lock:
            if view != self._view:
                self._view = view
                self._on_change(view)

    def _run(self) -> None:
        while not self._stopping.is_set():
            adapter = self._make_adapter(self._config)
            try:
                intrinsics = adapter.open()
                self._opened += 1
                self._stream(adapter, intrinsics)
            except DeviceError as error:
                seen = self._frames > 0
                self._set(HopState.FAULT if seen else HopState.DISCONNECTED, str(error))
            finally:
                adapter.close()
            self._stopping.wait(_REOPEN_S)

    def _stream(self, adapter: CameraAdapter, intrinsics: Intrinsics) -> None:
        while not self._stopping.is_set():
            frame = adapter.grab()
            if frame is None:
                self._skipped += 1
                continue
            if self._is_old(frame.stamp_ns):
                self._repeated += 1
                continue
            start = self._last = time.monotonic()
            self._last_stamp_ns = frame.stamp_ns
            self._first = self._first or start
            self._frames += 1
            self._age_ms.add((time.time_ns() - frame.stamp_ns) * 1e-6)
            self._on_frame(frame, intrinsics)
            self._work_ms.add((time.monotonic() - start) * 1e3)
            self._set(HopState.IDLE)

    def _is_old(self, stamp_ns: int) -> bool:
        """Whether a frame is not newer than the last: an old one must never pass for a new one.

        Where the last one is of the future somebody has set the clock back, and it tells nothing.
        """
        was_set_back = self._last_stamp_ns > time.time_ns() + _AHEAD_NS
        return stamp_ns <= self._last_stamp_ns and not was_set_back

    def diagnostics(self) -> Mapping[str, object]:
        """Return frame statistics and counters."""
        span_s = self._last - self._first
        return {
            "frames": self._frames,
            "hz": (self._frames - 1) / span_s if span_s > 0.0 else 0.0,
            "age_p50_ms": self._age_ms.quantile(0.5),
            "age_p99_ms": self._age_ms.quantile(0.99),
            "work_p50_ms": self._work_ms.quantile(0.5),
            "repeated": self._repeated,
            "skipped": self._skipped,
            "reopened": max(0, self._opened - 1),
        }
