"""The robot's solids along a motion: the geoms of our own model, placed by MuJoCo."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hop_core.errors import ModelError
from hop_core.robot_model import ARM_BODIES, robot_model
from hop_sim.view.drawing import Layer, Rgba, Solid
from hop_sim.view.shapes import Primitive, PrimitiveKind

_KINDS = {
    mujoco.mjtGeom.mjGEOM_BOX: (PrimitiveKind.BOX, 3),
    mujoco.mjtGeom.mjGEOM_SPHERE: (PrimitiveKind.SPHERE, 1),
    mujoco.mjtGeom.mjGEOM_CAPSULE: (PrimitiveKind.CAPSULE, 2),
    mujoco.mjtGeom.mjGEOM_CYLINDER: (PrimitiveKind.CYLINDER, 2),
}


@dataclass(frozen=True)
class RobotLook:
    """How a robot is drawn.

    Attributes:
        layer: of its solids, which also begins their names.
        rgba: colour of all geoms; None: each geom's own.
        hand_opacity: of palm and fingers, so that a human hand inside can be seen.
        grown_m: by how much its surface lies farther out, so that two robots in one posture do not
            flicker through each other.
    """

    layer: Layer = Layer.ROBOT
    rgba: Rgba | None = None
    hand_opacity: float = 1.0
    grown_m: float = 0.0


def robot_solids(q: np.ndarray, look: RobotLook) -> tuple[Solid, ...]:
    """Return the robot's geoms in base_link along joint angles `q` (T, 23) [rad], JOINT_NAMES.

    Raises:
        ModelError: the model holds a geom that is no primitive.
    """
    model = robot_model()
    poses = _geom_poses(model, np.asarray(q, dtype=np.float64))
    return tuple(
        Solid(
            name=f"{look.layer.value}/{model.geom(geom).name}",
            layer=look.layer,
            shape=_primitive(model, geom).grown(look.grown_m),
            rgba=_rgba(model, geom, look),
            poses=poses[:, geom],
        )
        for geom in range(model.ngeom)
    )


def _rgba(model: mujoco.MjModel, geom: int, look: RobotLook) -> Rgba:
    red, green, blue, opacity = look.rgba or (float(part) for part in model.geom_rgba[geom])
    arm = model.body(model.geom_bodyid[geom]).name in ARM_BODIES
    return red, green, blue, opacity * (1.0 if arm else look.hand_opacity)


def _primitive(model: mujoco.MjModel, geom: int) -> Primitive:
    known = _KINDS.get(mujoco.mjtGeom(model.geom_type[geom]))
    if known is None:
        raise ModelError(
            f"geom '{model.geom(geom).name}' is no box, sphere, capsule or cylinder; the view "
            "draws those only"
        )
    kind, sizes = known
    return Primitive(kind, tuple(float(size) for size in model.geom_size[geom, :sizes]))


def _geom_poses(model: mujoco.MjModel, q: np.ndarray) -> np.ndarray:
    """Poses of all geoms in base_link, (T, ngeom, 7), at joint angles `q` (T, 23)."""
    data = mujoco.MjData(model)
    poses = np.empty((len(q), model.ngeom, 7))
    for k, row in enumerate(q):
        data.qpos[:] = row
        mujoco.mj_kinematics(model, data)
        poses[k, :, :3] = data.geom_xpos
        for geom in range(model.ngeom):
            mujoco.mju_mat2Quat(poses[k, geom, 3:], data.geom_xmat[geom])
    return poses
