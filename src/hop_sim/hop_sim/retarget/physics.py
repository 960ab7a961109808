"""Many attempts at one track side by side, in MuJoCo's batch on the CPU's threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from mujoco.batch import Batch

from hop_core.embodiment import ARM, HAND, JOINT_NAMES, Embodiment
from hop_sim.retarget.attempts import Attempts
from hop_sim.retarget.config import PhysicsConfig
from hop_sim.retarget.motion import carried, yaw_quaternions
from hop_sim.retarget.scene import (
    ARM_LINKS,
    OBJECT,
    SENSORS,
    TABLE,
    build_track_scene,
    obstacle_name,
)
from hop_sim.scene import TABLE_THICKNESS_M

_AT_CAP = 0.999  # of a motor's cap counts as saturated
_COUNT = 1  # of the two figures that the batch has of each kind of warning


@dataclass(frozen=True)
class StepResult:
    """What a step of the policy did to A attempts.

    Attributes:
        q: (A, 23) joint angles at its end [rad]; NaN where the simulation became unstable.
        arm_contact: (A,) whether a link of the arm touched anything.
        penetration_m: (A,) deepest contact of the hand with object or table.
        saturated: (A,) share of the hand's motors at their caps.
    """

    q: np.ndarray
    arm_contact: np.ndarray
    penetration_m: np.ndarray
    saturated: np.ndarray


class Physics(Protocol):
    """A batch of robots that chase targets while an object is moved."""

    def reset(self, q: np.ndarray) -> None:
        """Put the robots at rest at `q` (B, 23) [rad]."""

    def step(
        self,
        rows: np.ndarray,
        q_target: np.ndarray,
        object_pose: np.ndarray,
        object_velocity: np.ndarray,
    ) -> StepResult:
        """Move to the next step of the policy.

        Args:
            rows: (A,) int, which of the B robots; the others stay as they are.
            q_target: (A, 23) joint targets at its end [rad].
            object_pose: (A, 7) the object at its beginning; see `ObjectMotion`.
            object_velocity: (A, 6) and how it moves during the step.
        """


class BatchPhysics:
    """`Physics` on `mujoco.batch`; the same to the bit on any number of threads.

    Attributes:
        model: the compiled scene.
        batch: the B simulations of it.
    """

    def __init__(
        self,
        object_points_m: np.ndarray,
        attempts: Attempts,
        embodiment: Embodiment,
        config: PhysicsConfig,
        threads: int,
    ) -> None:
        """Build the scene of a track and vary it from attempt to attempt."""
        self.model = build_track_scene(
            object_points_m, attempts.obstacle_half_m, embodiment, config.period_s
        )
        self.batch = Batch(self.model, len(attempts), nthread=threads)
        self._config = config
        bind = self.batch.bind
        self._qpos, self._qvel, self._ctrl = bind("qpos"), bind("qvel"), bind("ctrl")
        self._sensors, self._force = bind("sensordata"), bind("actuator_force")
        address = {name: int(self.model.sensor(name).adr[0]) for name in SENSORS}
        self._found = [address[link] for link in ARM_LINKS]
        self._depth = [address[name] + 1 for name in SENSORS if name not in ARM_LINKS]
        joint = self.model.joint(OBJECT)
        self._pose = slice(int(joint.qposadr[0]), int(joint.qposadr[0]) + 7)
        self._velocity = slice(int(joint.dofadr[0]), int(joint.dofadr[0]) + 6)
        gain, bias = self.model.actuator_gainprm, self.model.actuator_biasprm
        damping = self.model.dof_damping[ARM] - bias[ARM, 2]
        # A position servo with this lead has no steady lag behind a moving reference.
        self._lead_s = damping / gain[ARM, 0]
        self._cap = self.model.actuator_forcerange[HAND, 1]
        self._vary(attempts)

    def _vary(self, attempts: Attempts) -> None:
        batch = self.batch
        batch.expand("geom_friction")[:, :, 0] = attempts.friction[:, None]
        for name in ("actuator_gainprm", "actuator_biasprm"):
            batch.expand(name)[:] *= attempts.gain[:, None, None]
        position, quaternion = batch.expand("body_pos"), batch.expand("body_quat")
        places = {TABLE: attempts.T_base_table[:, :3, 3] - [0.0, 0.0, TABLE_THICKNESS_M / 2]}
        for i in range(len(attempts.obstacle_half_m)):
            places[obstacle_name(i)] = attempts.obstacle_m[:, i]
        for name, centre_m in places.items():
            body = self.model.body(name).id
            position[:, body], quaternion[:, body] = centre_m, yaw_quaternions(attempts.yaw_rad)

    def reset(self, q: np.ndarray) -> None:
        """See `Physics.reset`."""
        self.batch.reset()
        self._qpos[:, : len(JOINT_NAMES)] = q
        self._qvel[:] = 0.0
        self._q_target = q.copy()
        self._warned = self._warnings()

    def step(
        self,
        rows: np.ndarray,
        q_target: np.ndarray,
        object_pose: np.ndarray,
        object_velocity: np.ndarray,
    ) -> StepResult:
        """See `Physics.step`; targets go evenly from the last ones to `q_target`."""
        n, start = self._config.substeps, self._q_target[rows]
        speed = (q_target - start) / self._config.step_s
        touched = np.zeros(len(rows), dtype=bool)
        depth_m, saturated = np.zeros(len(rows)), np.zeros(len(rows))
        for i in range(1, n + 1):
            control = start + speed * (i * self._config.period_s)
            control[:, ARM] += self._lead_s * speed[:, ARM]
            pose = carried(object_pose, object_velocity, (i - 1) * self._config.period_s)
            self.substep(rows, control, pose, object_velocity)
            sensors = self._sensors[rows]
            touched |= sensors[:, self._found].max(axis=1) > 0.0
            np.maximum(depth_m, -sensors[:, self._depth].min(axis=1), out=depth_m)
            force = np.abs(self._force[rows, HAND])
            saturated += (force >= _AT_CAP * self._cap).mean(axis=1) / n
        self._q_target[rows] = q_target
        q = self._qpos[rows, : len(JOINT_NAMES)]
        # MuJoCo puts what becomes unstable back to its first state, and goes on.
        q[(self._warnings() > self._warned)[rows]] = np.nan
        return StepResult(q, touched, depth_m, saturated)

    def substep(
        self,
        rows: np.ndarray,
        control: np.ndarray,
        object_pose: np.ndarray,
        object_velocity: np.ndarray,
    ) -> None:
        """Step the physics of `rows` once.

        Args:
            rows: (A,) int, which of the B robots.
            control: (A, 23) targets of the servos [rad].
            object_pose: (A, 7) the object before it; see `ObjectMotion`.
            object_velocity: (A, 6) and how it moves.
        """
        self._ctrl[rows] = control
        self._qpos[rows, self._pose] = object_pose
        self._qvel[rows, self._velocity] = object_velocity
        self.batch.step(ids=rows)

    def _warnings(self) -> np.ndarray:
        """(B,) how often MuJoCo warned so far: of what is not finite, or of contacts left out."""
        return np.asarray(self.batch.warning[:, :, _COUNT].sum(axis=1))
