"""Inverse kinematics of the palm by damped least squares on the arm's seven joints."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hop_core.embodiment import ARM, load_embodiment
from hop_core.kinematics import Kinematics

_NEAR_M, _NEAR_RAD = 1e-5, 1e-5  # nearer needs no further iteration
_LARGEST_STEP_RAD = 0.3  # beyond this a step leaves the Jacobian's neighbourhood


@dataclass(frozen=True)
class IkResult:
    """Outcome of `solve_palm`.

    Attributes:
        q: (23,) joint angles [rad] within the limits; the hand's joints are the seed's.
        position_error_m: distance of the palm from its goal.
        rotation_error_rad: angle between palm and goal.
    """

    q: np.ndarray
    position_error_m: float
    rotation_error_rad: float

    def within(self, position_m: float, rotation_rad: float) -> bool:
        """Whether the palm is as near its goal as asked."""
        return self.position_error_m <= position_m and self.rotation_error_rad <= rotation_rad


def solve_palm(
    goal: np.ndarray,
    q_seed: np.ndarray,
    kinematics: Kinematics,
    *,
    iterations: int = 60,
    damping: float = 1e-3,
    posture: np.ndarray | None = None,
    posture_weight: float = 1e-2,
) -> IkResult:
    """Return arm joints that bring the palm to `goal`.

    Each iteration takes dq = J+ e + w (I - J+ J) (posture - q) with the damped inverse
    J+ = J' (J J' + damping^2 I)^-1: the pull to `posture` acts in the null space of J, so that
    redundancy never costs accuracy.

    Args:
        goal: (4, 4) T_base_palm, translation in m.
        q_seed: (23,) start [rad]; its hand joints are kept.
        kinematics: of this thread.
        iterations: most steps taken.
        damping: of the least squares.
        posture: (7,) arm angles [rad] preferred where the goal leaves freedom; default: the seed's.
        posture_weight: w, the share of the way to `posture` taken in the null space per step.

    Returns:
        The angles within the device limits and how far from the goal they are; whether that is near
        enough is the caller's to judge.

    Raises:
        ModelError: `q_seed` has another shape.
    """
    embodiment = load_embodiment()
    q = np.array(q_seed, dtype=np.float64)
    preferred = q_seed[ARM] if posture is None else posture
    for _ in range(iterations):
        pose = kinematics.site_pose(q, "palm")
        error = _twist(pose, goal)
        if np.linalg.norm(error[:3]) < _NEAR_M and np.linalg.norm(error[3:]) < _NEAR_RAD:
            break
        jacobian = kinematics.jacobian(q, "palm")[:, ARM]
        inverse = jacobian.T @ np.linalg.inv(jacobian @ jacobian.T + damping**2 * np.eye(6))
        pull = (np.eye(7) - inverse @ jacobian) @ (preferred - q[ARM])
        step = inverse @ error + posture_weight * pull
        q[ARM] += step * min(1.0, _LARGEST_STEP_RAD / (np.abs(step).max() + 1e-12))
        q[ARM] = np.clip(q[ARM], embodiment.lower[ARM], embodiment.upper[ARM])
    error = _twist(kinematics.site_pose(q, "palm"), goal)
    return IkResult(q, float(np.linalg.norm(error[:3])), float(np.linalg.norm(error[3:])))


def _twist(pose: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Translation [m] and rotation vector [rad] in base_link that take `pose` to `goal`, (6,)."""
    rotation = goal[:3, :3] @ pose[:3, :3].T
    quaternion, vector = np.empty(4), np.empty(3)
    mujoco.mju_mat2Quat(quaternion, rotation.ravel())
    mujoco.mju_quat2Vel(vector, quaternion, 1.0)
    return np.concatenate([goal[:3, 3] - pose[:3, 3], vector])
