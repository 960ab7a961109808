"""The xArm control box as a state machine over the simulated arm: modes, states, errors and motion.

Source of the semantics: vendor SDK and manual. No sockets here; `xarm_emulator` carries the
protocol. Where the firmware is not documented the strict reading is taken: a driver that passes
here made no use of leniency.
"""

from __future__ import annotations

import numpy as np

from hop_core.embodiment import ARM, Embodiment
from hop_sim.arm_motion import JointMove, JointSpeed, MovePlanner
from hop_sim.box_trips import Trips
from hop_sim.payload import Payload
from hop_sim.servo_reference import SERVO_BANDWIDTH_RAD_S
from hop_sim.world import World
from hop_sim.xarm_codes import MODES, POWER_OFF_ERRORS, Fault, Mode, SetState, State
from hop_sim.xarm_protocol import Status
from hop_sim.xarm_reports import Health, Motion, Settings, tcp_pose

FIRMWARE = "v2.7.1"
_LIMIT_SLACK_RAD = 1e-3
_MOVING_RAD_S = 2e-3
_MAX_SPEED_RAD_S, _MAX_ACCELERATION_RAD_S2 = np.pi, 20.0  # source: vendor SDK


class ControlBox:
    """Modes 0, 1, 4 and 6 of the box over `world`.

    Attributes:
        mode, error, warning: as reported.
        enabled: motors on, brakes open.
        settings: what was configured.
        estop: True while the emergency stop button is pressed; no command clears it then.
        arm_serial: of the series that the embodiment's limits are of.
    """

    def __init__(self, world: World, embodiment: Embodiment) -> None:
        """Power up: stopped, mode 0, brakes closed, the true load saved."""
        self.world = world
        self.lower, self.upper = embodiment.lower[ARM], embodiment.upper[ARM]
        self.arm_serial = "XI1305" if embodiment.late_serial else "XI1300"
        com_mm = [1000.0 * value for value in world.payload.com_m]
        self.settings = Settings(load=(world.payload.mass_kg, *com_mm))
        self.mode = 0
        self.error = 0
        self.warning = 0
        self.enabled = False
        self.estop = False
        self.trips = Trips(world)
        self._counter = 0
        self._next_mode = 0
        self._state = State.STOPPED
        self._planner = MovePlanner()
        self._speed = JointSpeed()

    @property
    def state(self) -> State:
        """State as reported: moving or standby while ready."""
        return State.MOVING if self._state == State.STANDBY and self.moving else self._state

    @property
    def moving(self) -> bool:
        """Whether a planned move is unfinished or the reference has speed."""
        return self._planner.queued > 0 or bool(
            np.abs(self.world.arm_reference_speed).max() > _MOVING_RAD_S
        )

    @property
    def ready(self) -> bool:
        """Whether a motion command would be taken."""
        return self.enabled and self.error == 0 and self._state in (State.STANDBY, State.PAUSED)

    @property
    def alarms(self) -> int:
        """Status bits of a reply that tell of an error and of a warning."""
        return (Status.ERROR if self.error else 0) | (Status.WARNING if self.warning else 0)

    @property
    def queued(self) -> int:
        """Number of unfinished planned moves."""
        return self._planner.queued

    def enable(self, on: bool) -> None:
        """Power the motors and open the brakes, or the reverse; no power with an error pending."""
        self.enabled = on and self.error == 0
        self.world.set_arm_enabled(self.enabled)
        if not self.enabled:
            self._halt(State.STOPPED)

    def request_mode(self, mode: int) -> bool:
        """Ask for a control mode, in force from the next state 0; False if it is unknown."""
        if mode not in MODES:
            return False
        self.configuration_changed()
        self._next_mode = mode
        return True

    def configuration_changed(self) -> None:
        """Drop to mode 0, state 5 with empty buffers, as any change of configuration does."""
        self._next_mode = self.mode = 0
        if not self.error:
            self._halt(State.CONFIG_CHANGED)

    def set_state(self, state: int) -> bool:
        """Ready, pause or stop; False if the state is unknown. Ready needs power and no error."""
        if state == SetState.READY:
            if self.enabled and not self.error:
                self.mode = self._next_mode
                self._halt(State.STANDBY)
        elif state == SetState.PAUSE:
            if self._state == State.STANDBY:
                self._halt(State.PAUSED)
        elif state in (SetState.STOP, SetState.DECELERATE):
            self._halt(State.STOPPED)
        else:
            return False
        return True

    def raise_error(self, code: int) -> None:
        """Enter an error: stopped, mode 0; e-stops and servo errors cut the power."""
        self.error = code
        self.mode = self._next_mode = 0
        self._halt(State.STOPPED)
        if code in POWER_OFF_ERRORS:
            self.enabled = False
            self.world.set_arm_enabled(False)

    def press_estop(self, pressed: bool) -> None:
        """Press or release the emergency stop button; releasing does not clear the error."""
        self.estop = pressed
        if pressed:
            self.raise_error(Fault.ESTOP_BUTTON)

    def clean_error(self) -> None:
        """Clear the error; an e-stop that is still pressed stays."""
        if not self.estop:
            self.error = 0

    def servo_joint(self, q: np.ndarray) -> None:
        """MOVE_SERVOJ to `q` (7,) [rad]: the newest target counts.

        Outside mode 1 it is ignored without a word.
        """
        if self.mode == Mode.SERVO and self._state == State.STANDBY and self._within_limits(q):
            self.world.set_arm_target(q)

    def move_joint(self, q: np.ndarray, speed: float, acceleration: float) -> None:
        """MOVE_JOINT to `q` (7,) [rad] in mode 0 (queued) or 6 (replaces).

        Speed [rad/s] and acceleration [rad/s^2] are those of the joint that travels farthest.
        """
        if (
            self.mode in (Mode.POSITION, Mode.ONLINE)
            and self._state == State.STANDBY
            and self._within_limits(q)
        ):
            cap = self.settings.reduced_joint_speed if self.settings.reduced else _MAX_SPEED_RAD_S
            move = JointMove(
                q,
                min(max(speed, 1e-3), cap),
                min(max(acceleration, 0.01), _MAX_ACCELERATION_RAD_S2),
            )
            self._planner.add(move, replace=self.mode == Mode.ONLINE)

    def joint_speed(self, speed: np.ndarray, duration_s: float) -> None:
        """VC_SET_JOINTV in mode 4: speeds (7,) [rad/s], with the box's own deadman."""
        if self.mode == Mode.JOINT_SPEED and np.isfinite(speed).all():
            self._speed.command(np.clip(speed, -_MAX_SPEED_RAD_S, _MAX_SPEED_RAD_S), duration_s)

    def set_payload(self, load: tuple[float, ...]) -> None:
        """Take a declared load: mass [kg], centre of mass in the flange frame [mm]."""
        self.settings.load = load
        self.world.declare_payload(
            Payload(load[0], (load[1] / 1000, load[2] / 1000, load[3] / 1000))
        )

    def set_tcp_offset(self, offset: tuple[float, ...]) -> None:
        """Take the TCP in the flange frame: x, y, z [mm], roll, pitch, yaw [rad]."""
        self.settings.tcp_offset = offset
        self.trips.tcp_offset_m = np.array(offset[:3]) / 1000.0

    def rebase(self) -> None:
        """Take up the arm where the world has just been put; mode and state stay."""
        self._planner.reset(self.world.arm_q)
        self._speed.reset()
        self.trips.reset()

    def step(self, dt_s: float) -> None:
        """Move the reference and watch the trips; call once before each step of the world."""
        if not self.ready:
            return
        if self._planner.queued:
            self.world.set_arm_target(self._planner.step(dt_s))
        elif self.mode == Mode.JOINT_SPEED:
            reference = self._speed.step(self._planner.reference, self.settings.joint_max_acc, dt_s)
            self.world.set_arm_target(np.clip(reference, self.lower, self.upper, out=reference))
        fault = self.trips.check(self.mode, self.settings, dt_s)
        if fault is not None:
            self.raise_error(fault)

    def _within_limits(self, q: np.ndarray) -> bool:
        """Check a target against the joint limits and the reduced range; else error 23."""
        lower, upper = self.lower, self.upper
        if self.settings.reduced:
            allowed = np.array(self.settings.reduced_range_rad).reshape(7, 2)
            lower, upper = np.maximum(lower, allowed[:, 0]), np.minimum(upper, allowed[:, 1])
        if ((q >= lower - _LIMIT_SLACK_RAD) & (q <= upper + _LIMIT_SLACK_RAD)).all():
            return True
        self.raise_error(Fault.JOINT_LIMIT)
        return False

    def _halt(self, state: State) -> None:
        """Enter `state` with empty buffers, coming to rest without overshoot."""
        self._state = state
        self.trips.reset()
        # From this target the critically damped servo decays exponentially, whatever its speed.
        stop = self.world.arm_reference + self.world.arm_reference_speed / SERVO_BANDWIDTH_RAD_S
        self.world.set_arm_target(stop)
        self._planner.reset(stop)
        self._speed.reset()

    def tcp_mm_rad(self) -> tuple[float, ...]:
        """Return x, y, z [mm], roll, pitch, yaw [rad] of the TCP in the arm's base."""
        return tcp_pose(self.world.flange_pose, self.settings.tcp_offset)

    def motion(self) -> Motion:
        """Return what every report carries."""
        q, torque = self.world.arm_q.tolist(), self.world.arm_torque.tolist()
        return Motion(self.mode, int(self.state), self.queued, q, self.tcp_mm_rad(), torque)

    def health(self) -> Health:
        """Return what the slower reports add."""
        self._counter = (self._counter + 1) & 0xFFFFFFFF
        speed_mm_s = 1000.0 * self.trips.tcp_speed_m_s()
        return Health(
            self.enabled,
            self.error,
            self.warning,
            self.world.arm_qd.tolist(),
            speed_mm_s,
            self._counter,
        )
