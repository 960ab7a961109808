"""The robot as a table of rotations about z, read from our own model, for compiled kinematics.

Each joint becomes a fixed transform followed by a rotation about the z axis of its new frame:
where a joint of the model turns about another axis, the fixed transform turns that axis onto z.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hop_core.embodiment import ARM_JOINTS, FINGERS, JOINT_NAMES
from hop_core.errors import ModelError
from hop_core.retargeting.config import RetargetConfig
from hop_core.retargeting.robot_points import body_points
from hop_core.robot_model import robot_model

ARM_LENGTH = len(ARM_JOINTS)
FINGER_LENGTH = (len(JOINT_NAMES) - ARM_LENGTH) // len(FINGERS)


@dataclass(frozen=True)
class Chain:
    """Seven joints in a row, then four fingers of four, and points on what they carry.

    Frame 0 is base_link, frame i + 1 is what joint i turns. All arrays are C-contiguous.

    Attributes:
        fixed: (23, 3, 4) transform from the parent's frame to joint i's frame at angle 0 [m].
        parent: (23,) int, frame on which joint i stands.
        point_frame: (K,) int, frame that carries point k, sorted along the arm or one finger.
        point_m: (K, 3) the point in that frame [m].
    """

    fixed: np.ndarray
    parent: np.ndarray
    point_frame: np.ndarray
    point_m: np.ndarray


def read_chain(config: RetargetConfig) -> Chain:
    """Return the chain of the default robot with the points of `config`.

    Raises:
        ModelError: the model's joints are not an arm of 7 with four fingers of 4.
    """
    model = robot_model()
    pose_in_frame: dict[int, tuple[int, np.ndarray]] = {0: (0, np.eye(4))}
    fixed, parent = np.empty((model.nv, 3, 4)), np.empty(model.nv, dtype=np.int64)
    for body in range(1, model.nbody):
        frame, pose = pose_in_frame[int(model.body_parentid[body])]
        pose = pose @ _transform(model.body_pos[body], model.body_quat[body])
        for joint in _joint_of(model, body):
            axis = np.eye(4)
            axis[:3, :3] = _z_onto(model.jnt_axis[joint])
            axis[:3, 3] = model.jnt_pos[joint]
            fixed[joint], parent[joint] = (pose @ axis)[:3], frame
            frame, pose = joint + 1, np.linalg.inv(axis)
        pose_in_frame[body] = frame, pose
    _check_shape(parent)
    points = body_points(model, config)
    carried = [pose_in_frame[int(body)] for body in points.body]
    return Chain(
        fixed=fixed,
        parent=parent,
        point_frame=np.array([frame for frame, _ in carried], dtype=np.int64),
        point_m=np.array(
            [
                pose[:3, :3] @ offset + pose[:3, 3]
                for (_, pose), offset in zip(carried, points.offset_m, strict=True)
            ]
        ),
    )


def _joint_of(model: mujoco.MjModel, body: int) -> range:
    """The joints of a body in the model's order: none or one hinge."""
    first, count = int(model.body_jntadr[body]), int(model.body_jntnum[body])
    if (count and model.jnt_type[first] != mujoco.mjtJoint.mjJNT_HINGE) or count > 1:
        raise ModelError(
            f"body '{model.body(body).name}' must have at most one hinge joint for Eq. 1"
        )
    return range(first, first + count)


def _check_shape(parent: np.ndarray) -> None:
    expected = np.arange(len(JOINT_NAMES))
    expected[ARM_LENGTH::FINGER_LENGTH] = ARM_LENGTH
    if not np.array_equal(parent, expected):
        raise ModelError(
            f"Eq. 1 needs an arm of {ARM_LENGTH} joints that carries {len(FINGERS)} fingers of "
            f"{FINGER_LENGTH}; the model's joints stand on frames {parent.tolist()}"
        )


def _transform(position: np.ndarray, quaternion: np.ndarray) -> np.ndarray:
    """T_parent_body (4, 4) from a position [m] and a unit quaternion (w, x, y, z)."""
    rotation, transform = np.empty(9), np.eye(4)
    mujoco.mju_quat2Mat(rotation, quaternion)
    transform[:3, :3], transform[:3, 3] = rotation.reshape(3, 3), position
    return transform


def _z_onto(axis: np.ndarray) -> np.ndarray:
    """A rotation (3, 3) that takes the z axis onto the unit vector `axis` (3,)."""
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    x = np.cross(helper, axis)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(axis, x), axis], axis=1)
