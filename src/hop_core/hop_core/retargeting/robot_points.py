"""The robot's points f(a) of Eq. 1 and their derivatives, by MuJoCo on our own model."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hop_core.embodiment import JOINT_NAMES
from hop_core.errors import ModelError, RetargetingError
from hop_core.retargeting.config import RetargetConfig
from hop_core.robot_model import robot_model


@dataclass(frozen=True)
class BodyPoints:
    """The robot's points, each given in the body that carries it.

    Attributes:
        body: (K,) int, id of the body in the model.
        offset_m: (K, 3) in the body's frame [m].
    """

    body: np.ndarray
    offset_m: np.ndarray


def body_points(model: mujoco.MjModel, config: RetargetConfig) -> BodyPoints:
    """Return where the points of `config` are on the bodies of `model`.

    Raises:
        ModelError: the model has neither a site nor a body of a point's frame.
    """
    bodies, offsets = [], []
    names = {model.body(i).name for i in range(model.nbody)}
    sites = {model.site(i).name: i for i in range(model.nsite)}
    for point in config.points:
        offset = np.array(point.offset_m)
        if point.frame in sites:
            site = sites[point.frame]
            rotation = np.empty(9)
            mujoco.mju_quat2Mat(rotation, model.site_quat[site])
            bodies.append(int(model.site_bodyid[site]))
            offsets.append(model.site_pos[site] + rotation.reshape(3, 3) @ offset)
        elif point.frame in names:
            bodies.append(int(model.body(point.frame).id))
            offsets.append(offset)
        else:
            raise ModelError(
                f"point {point.name}: the model has no site or body '{point.frame}'; "
                f"correct the frame in retarget.yaml"
            )
    return BodyPoints(np.array(bodies), np.array(offsets))


class RobotPoints:
    """Positions and derivatives of the robot's points; one instance per thread."""

    def __init__(self, config: RetargetConfig) -> None:
        """Take the compiled robot, its points, and a scratch state of its own."""
        self.model = robot_model()
        self._points = body_points(self.model, config)
        self._data = mujoco.MjData(self.model)
        self._bodies = [int(body) for body in self._points.body]
        self._jacobian = np.zeros((len(self._bodies), 3, self.model.nv))

    def positions(self, q: np.ndarray) -> np.ndarray:
        """Return the points at joint angles `q` (23,) [rad], (K, 3) in base_link [m].

        Raises:
            RetargetingError: `q` has another shape.
        """
        if q.shape != (len(JOINT_NAMES),):
            raise RetargetingError(
                f"joint angles must have shape ({len(JOINT_NAMES)},), got {q.shape}"
            )
        data = self._data
        data.qpos[:] = q
        mujoco.mj_kinematics(self.model, data)
        rotation = data.xmat[self._points.body].reshape(-1, 3, 3)
        offset = (rotation @ self._points.offset_m[:, :, None])[:, :, 0]
        return np.asarray(data.xpos[self._points.body] + offset)

    def batch_positions(self, q: np.ndarray) -> np.ndarray:
        """Return the points (B, K, 3) in base_link [m] at joint angles `q` (B, 23) [rad].

        Raises:
            RetargetingError: rows of another length.
        """
        return np.stack([self.positions(row) for row in q])

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Return the points' Jacobians (K, 3, 23) [m/rad], at the posture of the last `positions`.

        Args:
            points: (K, 3) what that call returned [m].

        Returns:
            A view of a buffer that the next call overwrites.
        """
        mujoco.mj_comPos(self.model, self._data)
        for k, body in enumerate(self._bodies):
            mujoco.mj_jac(self.model, self._data, self._jacobian[k], None, points[k], body)
        return self._jacobian
