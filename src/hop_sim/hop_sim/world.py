"""The simulated world: one MuJoCo model of robot, table and objects behind the interfaces that the real devices offer.

Pure and deterministic: no threads, no clock, no I/O. The real-time twin and the lock-step mode step the same class.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import mujoco
import numpy as np

from hop_core.embodiment import ARM, ARM_JOINTS, HAND, HAND_JOINTS, JOINT_NAMES, Embodiment
from hop_core.errors import ModelError

FLANGE_SITE = "flange"
SERVO_BANDWIDTH_RAD_S = 60.0
"""Natural frequency of the box's critically damped answer to a target [rad/s]; ours: a step arrives within about 80 ms,
unsmoothed as the vendor says ("like a step response"). Identify it on the arm."""


@dataclass(frozen=True, slots=True)
class Payload:
    """What hangs on the flange: mass [kg] and centre of mass in the flange frame (3,) [m]."""

    mass_kg: float
    com_m: tuple[float, float, float]


class World:
    """Steps the physics and plays the arm's control box (inner servo, gravity compensation, brakes) and the hand's motors.

    Attributes:
        model, data: the MuJoCo model and its state; tasks read them, only this class steps them.
        payload: true load of the flange at the home pose, the hand alone.
        arm_torque_limit: (7,) limits of the servo's torque [Nm].
    """

    def __init__(self, model: mujoco.MjModel, embodiment: Embodiment) -> None:
        """Look up joints and actuators of `model` by name and reset to home.

        Raises:
            ModelError: a joint, actuator or the flange site is missing, or the time step is not the embodiment's.
        """
        self.model = model
        self.data = mujoco.MjData(model)
        self._embodiment = embodiment
        self._dt_s = model.opt.timestep
        if abs(self._dt_s - embodiment.rates.physics_period_s) > 1e-9:
            raise ModelError(
                f"the world's time step is {self._dt_s} s, the embodiment asks for "
                f"{embodiment.rates.physics_period_s} s; build the scene with the latter"
            )
        joints = [_named(model, mujoco.mjtObj.mjOBJ_JOINT, name) for name in JOINT_NAMES]
        self._qpos = model.jnt_qposadr[joints]
        self._dof = model.jnt_dofadr[joints]
        self._actuator = np.array(
            [_named(model, mujoco.mjtObj.mjOBJ_ACTUATOR, name) for name in JOINT_NAMES]
        )
        self._flange = _named(model, mujoco.mjtObj.mjOBJ_SITE, FLANGE_SITE)
        arm_actuator = self._actuator[ARM]
        self._arm_dof = self._dof[ARM]
        # A position servo is kp (ctrl - q) - kv qd: this lead makes its steady lag behind a moving reference zero.
        damping = -model.actuator_biasprm[arm_actuator, 2] + model.dof_damping[self._arm_dof]
        self._lead_s = damping / model.actuator_gainprm[arm_actuator, 0]
        self._arm_ctrl = _as_slice(arm_actuator)
        self._hand_ctrl = _as_slice(self._actuator[HAND])
        self._arm_qpos = _as_slice(self._qpos[ARM])
        self._hand_qpos = _as_slice(self._qpos[HAND])
        self._arm_vel = _as_slice(self._arm_dof)
        self.arm_torque_limit = np.array(embodiment.arm.torque_limit)
        self._speed_cap = embodiment.velocity_limit[ARM]
        self._hand_cap = np.array(embodiment.hand.cap)
        self._jacobian = np.zeros((3, model.nv))
        self._hand_units = np.zeros(len(HAND_JOINTS))
        self._hand_servo = False
        self._arm_enabled = False
        self._reference = np.zeros(len(ARM_JOINTS))
        self._reference_speed = np.zeros(len(ARM_JOINTS))
        self._target = np.zeros(len(ARM_JOINTS))
        self.reset()
        self.payload = self._true_payload()
        self._declared = self.payload

    def reset(
        self,
        q: np.ndarray | None = None,
        arrange: Callable[[mujoco.MjModel, mujoco.MjData], None] | None = None,
    ) -> None:
        """Put the robot at rest and the scene in place.

        Args:
            q: (23,) joint angles [rad], order JOINT_NAMES; default the embodiment's home.
            arrange: places the task's objects by writing `data.qpos`; runs before the first forward pass.
        """
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._qpos] = self._embodiment.home if q is None else q
        if arrange is not None:
            arrange(self.model, self.data)
        self._hand_units[:] = 0.0
        mujoco.mj_forward(self.model, self.data)
        self.hold_arm()

    def rearrange(self, arrange: Callable[[mujoco.MjModel, mujoco.MjData], None]) -> None:
        """Put the task's objects in place, at rest, and leave the robot and the time as they are."""
        still = np.ones(self.model.nv, dtype=bool)
        still[self._dof] = False
        arrange(self.model, self.data)
        self.data.qvel[still] = 0.0
        mujoco.mj_forward(self.model, self.data)

    @property
    def time_s(self) -> float:
        """Simulated time since the last reset [s]."""
        return float(self.data.time)

    @property
    def q(self) -> np.ndarray:
        """(23,) joint angles [rad], order JOINT_NAMES, a copy."""
        return self.data.qpos[self._qpos]

    @property
    def qd(self) -> np.ndarray:
        """(23,) joint speeds [rad/s], order JOINT_NAMES, a copy."""
        return self.data.qvel[self._dof]

    @property
    def arm_q(self) -> np.ndarray:
        """(7,) arm angles [rad], a copy."""
        return self.data.qpos[self._arm_qpos].copy()

    @property
    def arm_qd(self) -> np.ndarray:
        """(7,) arm speeds [rad/s], a copy."""
        return self.data.qvel[self._arm_vel].copy()

    @property
    def arm_torque(self) -> np.ndarray:
        """(7,) motor torques [Nm]: servo plus gravity compensation, what the box reports as joint effort."""
        arm, data = self._arm_vel, self.data
        return (
            data.actuator_force[self._arm_ctrl] + data.qfrc_applied[arm] + data.qfrc_gravcomp[arm]
        )

    @property
    def flange_pose(self) -> np.ndarray:
        """T_base_flange (4, 4) as of the last forward pass."""
        pose = np.eye(4)
        pose[:3, :3] = self.data.site_xmat[self._flange].reshape(3, 3)
        pose[:3, 3] = self.data.site_xpos[self._flange]
        return pose

    @property
    def arm_servo_torque(self) -> np.ndarray:
        """(7,) the servo's part of the motor torques [Nm]; at its limit while something blocks the arm."""
        return self.data.actuator_force[self._arm_ctrl].copy()

    @property
    def arm_reference(self) -> np.ndarray:
        """(7,) angles that the inner servo follows at this moment [rad], a copy."""
        return self._reference.copy()

    @property
    def arm_reference_speed(self) -> np.ndarray:
        """(7,) speed of the reference [rad/s], a copy."""
        return self._reference_speed.copy()

    @property
    def arm_enabled(self) -> bool:
        """Whether the arm follows targets; False: brakes."""
        return self._arm_enabled

    @property
    def hand_q(self) -> np.ndarray:
        """(16,) hand angles [rad] in wire order, a copy."""
        return self.data.qpos[self._hand_qpos].copy()

    @property
    def hand_servo(self) -> bool:
        """Whether the hand's torque stage is on."""
        return self._hand_servo

    def set_arm_target(self, q: np.ndarray) -> None:
        """Give the arm's inner servo a new target (7,) [rad]; only the newest counts. Ignored while braked."""
        if self._arm_enabled:
            self._target[:] = q

    def set_arm_enabled(self, enabled: bool) -> None:
        """Release the brakes (and hold where the arm is), or close them."""
        if enabled != self._arm_enabled:
            self._arm_enabled = enabled
            self.hold_arm()

    def hold_arm(self) -> None:
        """Make the measured posture the target and the reference, at rest."""
        self._reference[:] = self.data.qpos[self._arm_qpos]
        self._target[:] = self._reference
        self._reference_speed[:] = 0.0

    def declare_payload(self, payload: Payload | None) -> None:
        """Tell the box the load it compensates; None: the true one."""
        self._declared = payload or self.payload

    def set_hand_torque_units(self, units: np.ndarray) -> None:
        """Command the hand's motors: (16,) [units of full PWM], wire order, clipped to the device's caps."""
        np.clip(units, -self._hand_cap, self._hand_cap, out=self._hand_units)

    def set_hand_servo(self, on: bool) -> None:
        """Switch the torque stage; off means no torque, and the last command is forgotten."""
        self._hand_servo = on
        if not on:
            self._hand_units[:] = 0.0

    def tcp_speed_m_s(self, offset_m: np.ndarray | None = None) -> float:
        """Return the commanded linear speed of the flange, or of a point `offset_m` (3,) in its frame [m/s]."""
        point = self.data.site_xpos[self._flange]
        if offset_m is not None:
            point = point + self.data.site_xmat[self._flange].reshape(3, 3) @ offset_m
        self._point_jacobian(point)
        return float(np.linalg.norm(self._jacobian[:, self._arm_vel] @ self._reference_speed))

    def step(self, n_ms: int) -> None:
        """Advance by `n_ms` steps of 1 ms under constant commands; the servo's reference moves once per call.

        Twin and lock-step both call it with the hand's period (3 ms), so that they agree to the bit.
        """
        self._move_reference(n_ms * self._dt_s)
        ctrl = self.data.ctrl
        ctrl[self._arm_ctrl] = self._reference + self._lead_s * self._reference_speed
        if self._hand_servo:
            ctrl[self._hand_ctrl] = self._hand_units * self._embodiment.hand.torque_per_unit_nm
        else:
            ctrl[self._hand_ctrl] = 0.0
        self._compensate()
        mujoco.mj_step(self.model, self.data, nstep=n_ms)

    def _move_reference(self, dt_s: float) -> None:
        """Move the reference by the exact critically damped answer to the target, at most at the joint speed limit."""
        if not self._arm_enabled:
            return
        error = self._reference - self._target
        a = self._reference_speed + SERVO_BANDWIDTH_RAD_S * error
        decay = np.exp(-SERVO_BANDWIDTH_RAD_S * dt_s)
        wanted = self._target + (error + a * dt_s) * decay
        speed = (self._reference_speed - SERVO_BANDWIDTH_RAD_S * dt_s * a) * decay
        reach = self._speed_cap * dt_s
        self._reference += np.clip(wanted - self._reference, -reach, reach)
        np.clip(speed, -self._speed_cap, self._speed_cap, out=self._reference_speed)

    def _compensate(self) -> None:
        """Complete the gravity and velocity compensation of arm and load, wrong by a wrongly declared load.

        The model compensates the arm and palm itself (`gravcomp`); the fingers' share and the rest are added here.
        """
        bias = self.data.qfrc_bias[self._arm_vel] - self.data.qfrc_gravcomp[self._arm_vel]
        if self._declared is not self.payload:
            bias = bias + self._load_torque(self._declared) - self._load_torque(self.payload)
        self.data.qfrc_applied[self._arm_vel] = bias

    def _load_torque(self, payload: Payload) -> np.ndarray:
        """Return the (7,) joint torques [Nm] that carry `payload`."""
        rotation = self.data.site_xmat[self._flange].reshape(3, 3)
        self._point_jacobian(self.data.site_xpos[self._flange] + rotation @ np.array(payload.com_m))
        return self._jacobian[:, self._arm_vel].T @ (-payload.mass_kg * self.model.opt.gravity)

    def _point_jacobian(self, point: np.ndarray) -> None:
        body = self.model.site_bodyid[self._flange]
        mujoco.mj_jac(self.model, self.data, self._jacobian, None, point, body)

    def _true_payload(self) -> Payload:
        """Return mass and centre of everything beyond the last arm link, at the present posture."""
        model, link7 = (
            self.model,
            int(self.model.jnt_bodyid[_named(self.model, mujoco.mjtObj.mjOBJ_JOINT, "joint7")]),
        )
        beyond = [b for b in range(link7 + 1, model.nbody) if _has_ancestor(model, b, link7)]
        mass = model.body_mass[beyond]
        if not mass.sum() > 0.0:
            return Payload(0.0, (0.0, 0.0, 0.0))
        centre = mass @ self.data.xipos[beyond] / mass.sum()
        rotation = self.data.site_xmat[self._flange].reshape(3, 3)
        x, y, z = (rotation.T @ (centre - self.data.site_xpos[self._flange])).tolist()
        return Payload(float(mass.sum()), (x, y, z))


def _has_ancestor(model: mujoco.MjModel, body: int, ancestor: int) -> bool:
    while body > ancestor:
        body = int(model.body_parentid[body])
    return body == ancestor


def _named(model: mujoco.MjModel, kind: mujoco.mjtObj, name: str) -> int:
    index = mujoco.mj_name2id(model, kind, name)
    if index < 0:
        what = kind.name.removeprefix("mjOBJ_").lower()
        raise ModelError(
            f"the world's model has no {what} '{name}'; build it with scene.build_scene"
        )
    return int(index)


def _as_slice(index: np.ndarray) -> slice | np.ndarray:
    """Return a contiguous index as a slice: views instead of copies in every step."""
    if np.array_equal(index, np.arange(index[0], index[0] + len(index))):
        return slice(int(index[0]), int(index[0]) + len(index))
    return index
