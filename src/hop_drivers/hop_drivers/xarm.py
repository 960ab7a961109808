"""Adapter of the xArm7's control box on the vendor SDK; the SDK is imported when the arm is opened.

The SDK's traps that are handled here: degrees by default; one lock per client, so that a stop waits
behind a stalled call (the stop has a client of its own); a report stream that goes silent without a
word (its age is watched); a servo call in the wrong mode that returns "ok" (mode and state of the
newest report are looked at on every tick); a process-wide socket time-out; prints at import.
"""

from __future__ import annotations

import contextlib
import io
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from hop_core.errors import DeviceError
from hop_core.robot_config import ArmConfig
from hop_drivers import xarm_codes as codes
from hop_drivers.arm_adapter import ArmReading
from hop_drivers.xarm_connection import connect, probe

_READBACK_S = 2.0
_SETTING_S = 1.0
_STOP_S = 3.0
_REPORT_SILENT_S = 2.0
_LATE_SERIES = 1305
_LOAD_TOLERANCE = 1e-3
_POLL_S = 0.02


class XArm:
    """The real control box, or one that speaks its protocol."""

    def __init__(self, config: ArmConfig) -> None:
        self._config = config
        self._api: Any = None
        self._stop_api: Any = None
        self._stop_lock = threading.Lock()
        self._last_report_ns = 0

    def open(self) -> None:
        """Connect both clients and check what answered.

        Raises:
            DeviceError: nobody answers, the firmware is too old, or the serial does not fit the
                configured limits. Nothing stays connected then.
        """
        probe(self._config)
        try:
            self._connect()
        except BaseException:
            self.close()
            raise

    def _connect(self) -> None:
        self._api = connect(self._config, report=True)
        # Until the first report comes, silence counts from here.
        self._last_report_ns = time.monotonic_ns()
        self._api.register_report_callback(
            self._on_report, report_cartesian=False, report_joints=False, report_state=False,
            report_error_code=False, report_warn_code=False,
            report_mtable=False, report_mtbrake=False, report_cmd_num=False,
        )  # fmt: skip
        self._stop_api = connect(self._config, report=False)
        self._check_identity()

    def _check_identity(self) -> None:
        version = tuple(self._api.version_number)
        if version < (1, 9, 0):
            raise DeviceError(
                f"xArm firmware {version} cannot poll joint states; update it to 1.9 or later"
            )
        serial = self._api.sn or ""
        series = serial[2:6]
        if series.isdigit() and (int(series) >= _LATE_SERIES) != self._config.late_serial:
            raise DeviceError(
                f"xArm serial {serial} has other limits of joints 2 and 4 than configured; set "
                f"arm.late_serial: {str(int(series) >= _LATE_SERIES).lower()} in the robot's "
                "overlay"
            )

    def _on_report(self, _values: dict[str, Any]) -> None:
        self._last_report_ns = time.monotonic_ns()

    def read(self) -> ArmReading:
        """Return the polled joint state (see ArmAdapter)."""
        code, values = self._api.get_joint_states(is_radian=True, num=3)
        if code != codes.API_OK:
            raise DeviceError(codes.describe_api(code, "get_joint_states"))
        q, qd, effort = np.array(values, dtype=np.float64)[:, :7]
        if not np.isfinite(q).all():
            raise DeviceError(
                "xArm reports a joint angle that is not a number; check the control box"
            )
        return ArmReading(q, qd, effort, time.time_ns())

    def enable(self) -> None:
        """Bring the arm into servo mode (see ArmAdapter).

        Every configuration change drops the box to mode 0: all of it comes before mode 1. Mode,
        payload and collision sensitivity are read back.
        """
        with self._patience():
            self._enter_servo_mode()
            self._read_back()

    def _enter_servo_mode(self) -> None:
        api = self._api
        if error := self.error():
            raise DeviceError(error)
        api.clean_warn()
        self._call("motion_enable", api.motion_enable, True)
        self._call("set_mode(0)", api.set_mode, 0)
        self._call("set_state(0)", api.set_state, 0)
        self._configure()
        self._call("set_mode(1)", api.set_mode, codes.SERVO_MODE)
        self._call("set_state(0)", api.set_state, 0)
        self._wait(self._is_ready, "xArm did not enter servo mode", _READBACK_S)

    @contextlib.contextmanager
    def _patience(self) -> Iterator[None]:
        """Wait longer for the answers to settings: the control loop, which only polls, may not."""
        api, reply_s = self._api, self._config.reply_timeout_s
        api.set_timeout((max(_SETTING_S, reply_s), reply_s))
        try:
            yield
        finally:
            api.set_timeout(reply_s)

    def _configure(self) -> None:
        config, api = self._config, self._api
        center_mm = [1000.0 * value for value in config.payload_center_m]
        self._call("set_tcp_load", api.set_tcp_load, config.payload_kg, center_mm)
        # The public call waits without a limit for a feedback that some firmware never sends.
        self._call("set_collision_sensitivity", self._set_sensitivity, config.collision_sensitivity)
        self._call("set_self_collision_detection", api.set_self_collision_detection, True)
        time.sleep(_POLL_S)

    def _set_sensitivity(self, value: int) -> int:
        return int(self._api.core.set_collis_sens(value)[0])

    def _read_back(self) -> None:
        config = self._config
        load = [config.payload_kg, *(1000.0 * value for value in config.payload_center_m)]

        def matches() -> bool:
            seen = [self._api.tcp_load[0], *self._api.tcp_load[1]]
            return (
                bool(np.allclose(seen, load, atol=_LOAD_TOLERANCE, rtol=1e-3))
                and self._api.collision_sensitivity == config.collision_sensitivity
            )

        self._wait(
            matches, "xArm did not take the payload or the collision sensitivity", _READBACK_S
        )

    def _is_ready(self) -> bool:
        self._api.get_state()
        return self._api.mode == codes.SERVO_MODE and self._api.state in codes.MOTION_STATES

    def _wait(self, condition: Any, failure: str, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            if error := self._ask_error()[1]:
                raise DeviceError(error)
            if time.monotonic() > deadline:
                raise DeviceError(
                    f"{failure} within {limit_s:g} s (mode {self._api.mode}, state "
                    f"{self._api.state})"
                )
            time.sleep(_POLL_S)

    def _call(self, name: str, call: Any, *args: Any) -> None:
        code = call(*args)
        if code not in (codes.API_OK, codes.API_HAS_WARNING):
            raise DeviceError(self._ask_error()[1] or codes.describe_api(code, name))

    def servo(self, q: np.ndarray) -> None:
        """Send one target (see ArmAdapter)."""
        if not np.isfinite(q).all():  # the SDK would put a NaN on the wire
            raise DeviceError("a servo target that is not a number was kept from the arm")
        code = self._api.set_servo_angle_j(q.tolist(), is_radian=True)
        if code != codes.API_OK:
            raise DeviceError(self._ask_error()[1] or codes.describe_api(code, "set_servo_angle_j"))

    def fault(self) -> str | None:
        """Return why the arm cannot move (see ArmAdapter); costs no round trip."""
        api = self._api
        if not api.connected:
            return f"the connection to the xArm at {self._config.address} was closed"
        if error := self.reported_error():
            return error
        if api.mode != codes.SERVO_MODE:
            return f"xArm left servo mode (mode {api.mode}); call the recover service"
        if api.state not in codes.MOTION_STATES:
            return f"xArm stopped (state {api.state}); call the recover service"
        silent_s = (time.monotonic_ns() - self._last_report_ns) * 1e-9
        if silent_s > _REPORT_SILENT_S:
            return (
                f"xArm reports stopped {silent_s:.1f} s ago; check the network to the control box"
            )
        return None

    def reported_error(self) -> str | None:
        """Return the error in the newest report (see ArmAdapter)."""
        return codes.describe_error(self._api.error_code) if self._api.error_code else None

    def error(self) -> str | None:
        """Return the box's error, or why it is not known, as a sentence (see ArmAdapter)."""
        deadline = time.monotonic() + _SETTING_S
        while True:
            code, error = self._ask_error()
            if code == codes.API_OK or error:
                return error
            if time.monotonic() > deadline:
                return codes.describe_api(code, "get_err_warn_code")
            time.sleep(_POLL_S)

    def _ask_error(self) -> tuple[int, str | None]:
        """Ask once: the SDK's return code, and the error if one is known."""
        if self._api is None or not self._api.connected:
            return codes.API_OK, f"the connection to the xArm at {self._config.address} was closed"
        code, pair = self._api.get_err_warn_code()
        known = code == codes.API_OK and pair[0]
        return code, codes.describe_error(pair[0]) if known else None

    def halt(self) -> None:
        """Stop and leave servo mode (see ArmAdapter)."""
        with self._patience():
            self._call("set_state(4)", self._api.set_state, codes.STATE_STOPPED)
            self._call("set_mode(0)", self._api.set_mode, 0)

    def stop(self) -> None:
        """Send stop until the box confirms it (see ArmAdapter)."""
        with self._stop_lock:
            deadline = time.monotonic() + _STOP_S
            while time.monotonic() < deadline:
                api = self._stop_api
                if api is None or not api.connected:
                    try:
                        probe(self._config)
                        api = self._stop_api = connect(self._config, report=False)
                    except DeviceError:  # tried again until the deadline, then reported below
                        time.sleep(_POLL_S)
                        continue
                api.set_state(codes.STATE_STOPPED)
                code, state = api.get_state()
                if code == codes.API_OK and state == codes.STATE_STOPPED:
                    return
        raise DeviceError(
            f"the xArm at {self._config.address} did not confirm the stop within {_STOP_S:g} s; "
            "press the red button"
        )

    def clear(self) -> None:
        """Clear errors (see ArmAdapter)."""
        with self._patience():
            self._api.clean_error()
            self._api.clean_warn()
            if error := self.error():
                raise DeviceError(error)

    def close(self) -> None:
        """Drop both connections (see ArmAdapter)."""
        for api in (self._api, self._stop_api):
            if api is not None:
                with contextlib.redirect_stdout(io.StringIO()):
                    api.disconnect()
        self._api = self._stop_api = None
