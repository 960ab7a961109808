"""The simulated world: robot, table and objects behind the interfaces that the devices offer.

Pure and deterministic: no threads, no clock, no I/O. The real-time twin and the lock-step mode step
the same class.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import mujoco
import numpy as np

from hop_core.embodiment import ARM, ARM_JOINTS, HAND, HAND_JOINTS, JOINT_NAMES, Embodiment
from hop_core.errors import ModelError
from hop_sim.payload import Payload, payload_beyond
from hop_sim.servo_reference import ServoReference

FLANGE_SITE = "flange"

Arrange = Callable[[mujoco.MjModel, mujoco.MjData], None]
"""Places a task's objects by writing `data.qpos`."""


class World:
    """Steps the physics and plays the arm's inner servo and brakes and the hand's motors.

    Attributes:
        model, data: the MuJoCo model and its state; tasks read them, only this class steps them.
        payload: true load of the flange at the home pose, the hand alone.
        arm_torque_limit: (7,) limits of the servo's torque [Nm].
    """

    def __init__(self, model: mujoco.MjModel, embodiment: Embodiment) -> None:
        """Look up joints and actuators of `model` by name and reset to home.

        Raises:
            ModelError: a joint, actuator or the flange site is missing, or the time step is not the
                embodiment's.
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
        objects = mujoco.mjtObj
        joints = [_named(model, objects.mjOBJ_JOINT, name) for name in JOINT_NAMES]
        actuators = np.array([_named(model, objects.mjOBJ_ACTUATOR, name) for name in JOINT_NAMES])
        self._qpos, self._dof = model.jnt_qposadr[joints], model.jnt_dofadr[joints]
        self._flange = _named(model, objects.mjOBJ_SITE, FLANGE_SITE)
        self._arm_ctrl, self._hand_ctrl = _as_slice(actuators[ARM]), _as_slice(actuators[HAND])
        self._arm_qpos, self._hand_qpos = _as_slice(self._qpos[ARM]), _as_slice(self._qpos[HAND])
        self._arm_vel = _as_slice(self._dof[ARM])
        # A position servo is kp (ctrl - q) - kv qd: with this lead its steady lag behind a moving
        # reference is zero.
        damping = model.dof_damping[self._arm_vel] - model.actuator_biasprm[self._arm_ctrl, 2]
        self._lead_s = damping / model.actuator_gainprm[self._arm_ctrl, 0]
        self.arm_torque_limit = np.array(embodiment.arm.torque_limit)
        self._reference = ServoReference(embodiment.velocity_limit[ARM])
        self._arm_enabled = False
        self._hand_cap = np.array(embodiment.hand.cap)
        self._hand_units = np.zeros(len(HAND_JOINTS))
        self._hand_servo = False
        self._jacobian = np.zeros((3, model.nv))
        self.reset()
        last = _named(model, objects.mjOBJ_JOINT, ARM_JOINTS[-1])
        self.payload = self._declared = payload_beyond(model, self.data, last, self._flange)

    def reset(self, q: np.ndarray | None = None, arrange: Arrange | None = None) -> None:
        """Put the robot at rest and the scene in place.

        Args:
            q: (23,) joint angles [rad], order JOINT_NAMES; default the embodiment's home.
            arrange: places the task's objects, before the first forward pass.
        """
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[self._qpos] = self._embodiment.home if q is None else q
        if arrange is not None:
            arrange(self.model, self.data)
        self._hand_units[:] = 0.0
        mujoco.mj_forward(self.model, self.data)
        self.hold_arm()

    def rearrange(self, arrange: Arrange) -> None:
        """Put the task's objects in place, at rest; leave the robot and the time as they are."""
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
        """(7,) motor torques [Nm], servo plus gravity compensation: the box's joint effort."""
        arm, data = self._arm_vel, self.data
        return (
            data.actuator_force[self._arm_ctrl] + data.qfrc_applied[arm] + data.qfrc_gravcomp[arm]
        )

    @property
    def arm_servo_torque(self) -> np.ndarray:
        """(7,) the servo's share of the torques [Nm]; at its limit while the arm is blocked."""
        return self.data.actuator_force[self._arm_ctrl].copy()

    @property
    def arm_reference(self) -> np.ndarray:
        """(7,) angles that the inner servo follows at this moment [rad], a copy."""
        return self._reference.position.copy()

    @property
    def arm_reference_speed(self) -> np.ndarray:
        """(7,) speed of the reference [rad/s], a copy."""
        return self._reference.speed.copy()

    @property
    def flange_pose(self) -> np.ndarray:
        """T_base_flange (4, 4) as of the last forward pass."""
        pose = np.eye(4)
        pose[:3, :3] = self.data.site_xmat[self._flange].reshape(3, 3)
        pose[:3, 3] = self.data.site_xpos[self._flange]
        return pose

    @property
    def hand_q(self) -> np.ndarray:
        """(16,) hand angles [rad] in wire order, a copy."""
        return self.data.qpos[self._hand_qpos].copy()

    @property
    def hand_servo(self) -> bool:
        """Whether the hand's torque stage is on."""
        return self._hand_servo

    def set_arm_target(self, q: np.ndarray) -> None:
        """Give the inner servo a target (7,) [rad]; only the newest counts, none while braked."""
        if self._arm_enabled:
            self._reference.set_target(q)

    def set_arm_enabled(self, enabled: bool) -> None:
        """Release the brakes (and hold where the arm is), or close them."""
        if enabled != self._arm_enabled:
            self._arm_enabled = enabled
            self.hold_arm()

    def hold_arm(self) -> None:
        """Make the measured posture the target and the reference, at rest."""
        self._reference.hold(self.data.qpos[self._arm_qpos])

    def declare_payload(self, payload: Payload | None) -> None:
        """Tell the box the load it compensates; None: the true one."""
        self._declared = payload or self.payload

    def set_hand_torque_units(self, units: np.ndarray) -> None:
        """Command the hand: (16,) [units of full PWM], wire order, clipped to the device's caps."""
        np.minimum(np.maximum(units, -self._hand_cap), self._hand_cap, out=self._hand_units)

    def set_hand_servo(self, on: bool) -> None:
        """Switch the torque stage; off means no torque, and the last command is forgotten."""
        self._hand_servo = on
        if not on:
            self._hand_units[:] = 0.0

    def tcp_speed_m_s(self, offset_m: np.ndarray) -> float:
        """Return the commanded speed [m/s] of a point (3,) [m] in the flange frame."""
        velocity = self._point_jacobian(offset_m) @ self._reference.speed
        return math.sqrt(velocity @ velocity)

    def step(self, n_ms: int) -> None:
        """Advance by `n_ms` steps of 1 ms under constant commands; the reference moves once.

        Twin and lock-step both call it with the hand's period (3 ms): they agree to the bit.
        """
        if self._arm_enabled:
            self._reference.step(n_ms * self._dt_s)
        ctrl, reference = self.data.ctrl, self._reference
        ctrl[self._arm_ctrl] = reference.position + self._lead_s * reference.speed
        unit_nm = self._embodiment.hand.torque_per_unit_nm if self._hand_servo else 0.0
        ctrl[self._hand_ctrl] = self._hand_units * unit_nm
        self._compensate()
        mujoco.mj_step(self.model, self.data, nstep=n_ms)

    def _compensate(self) -> None:
        """Complete the compensation of gravity and speed; a wrongly declared load makes it wrong.

        The model compensates arm and palm itself (`gravcomp`); the fingers' share is added here.
        """
        data, arm = self.data, self._arm_vel
        bias = data.qfrc_bias[arm] - data.qfrc_gravcomp[arm]
        if self._declared is not self.payload:
            bias += self._load_torque(self._declared) - self._load_torque(self.payload)
        data.qfrc_applied[arm] = bias

    def _load_torque(self, payload: Payload) -> np.ndarray:
        """Return the (7,) joint torques [Nm] that carry `payload`."""
        jacobian = self._point_jacobian(np.array(payload.com_m))
        return jacobian.T @ (-payload.mass_kg * self.model.opt.gravity)

    def _point_jacobian(self, offset_m: np.ndarray) -> np.ndarray:
        """Return the (3, 7) linear Jacobian of a point in the flange frame."""
        rotation = self.data.site_xmat[self._flange].reshape(3, 3)
        point = self.data.site_xpos[self._flange] + rotation @ offset_m
        body = self.model.site_bodyid[self._flange]
        mujoco.mj_jac(self.model, self.data, self._jacobian, None, point, body)
        return self._jacobian[:, self._arm_vel]


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
    first, count = int(index[0]), len(index)
    contiguous = np.array_equal(index, np.arange(first, first + count))
    return slice(first, first + count) if contiguous else index
