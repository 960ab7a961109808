"""The robot as MuJoCo models.

Kinematics and inertia come from our MJCF, limits and actuators from the embodiment data.
"""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import mujoco
import numpy as np

from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES, Embodiment, load_embodiment

MJCF_FILE = Path(__file__).parent / "data" / "xarm7_allegro.xml"
TIP_SITES = ("index_tip", "middle_tip", "ring_tip", "thumb_tip")
SITES = ("flange", "palm", *TIP_SITES)
# Collision bits, as the MJCF sets them.
STATIC_BIT, OBJECT_BIT, ARM_BIT, HAND_BIT = 1, 2, 4, 8
ARM_BODIES = ("link_base", *(f"link{i}" for i in range(1, 8)))


def robot_spec(embodiment: Embodiment | None = None) -> mujoco.MjSpec:
    """Return the robot without actuators, its joints with the embodiment's limits and dynamics.

    The arm and the hand's weight are gravity-compensated as the control box does for itself and its
    declared payload; the fingers are not.
    """
    embodiment = embodiment or load_embodiment()
    spec = mujoco.MjSpec.from_file(str(MJCF_FILE))
    for i, name in enumerate(JOINT_NAMES):
        joint = spec.joint(name)
        joint.range = [embodiment.lower[i], embodiment.upper[i]]
        joint.damping[0] = embodiment.damping[i]
        joint.armature = embodiment.armature[i]
        joint.frictionloss = embodiment.frictionloss[i]
    palm = spec.body("palm")
    mount = embodiment.data.mount
    palm.pos = mount.position_m
    palm.quat = [math.cos(mount.yaw_rad / 2), 0.0, 0.0, math.sin(mount.yaw_rad / 2)]
    for name in (*ARM_BODIES, "palm"):
        spec.body(name).gravcomp = 1.0
    return spec


def robot_hash() -> str:
    """Return what identifies the robot's model, with its limits and dynamics."""
    return sha256(robot_spec().to_xml().encode()).hexdigest()[:16]


def add_actuators(spec: mujoco.MjSpec, embodiment: Embodiment | None = None) -> None:
    """Give `spec` its 23 actuators, named and ordered as the joints.

    The arm gets position servos, whose control is an angle [rad]; the hand gets motors, whose
    control is a torque [Nm] bounded by the device's cap.
    """
    embodiment = embodiment or load_embodiment()
    arm, hand = embodiment.arm, embodiment.hand
    for i, name in enumerate(ARM_JOINTS):
        servo = _joint_actuator(spec, name, arm.torque_limit[i])
        servo.set_to_position(kp=arm.kp[i], kv=arm.kd[i])
        servo.ctrlrange = [embodiment.lower[i], embodiment.upper[i]]
        servo.ctrllimited = mujoco.mjtLimited.mjLIMITED_TRUE
    for i, name in enumerate(HAND_JOINTS):
        motor = _joint_actuator(spec, name, hand.cap[i] * hand.torque_per_unit_nm)
        motor.set_to_motor()


def _joint_actuator(spec: mujoco.MjSpec, joint: str, limit_nm: float) -> mujoco.MjsActuator:
    actuator = spec.add_actuator(name=joint, target=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    actuator.forcerange = [-limit_nm, limit_nm]
    actuator.forcelimited = mujoco.mjtLimited.mjLIMITED_TRUE
    return actuator


@lru_cache(maxsize=1)
def robot_model() -> mujoco.MjModel:
    """Return the compiled robot alone, with actuators, of the default embodiment.

    Its qpos is (23,) [rad] in the order of `JOINT_NAMES`.
    """
    spec = robot_spec()
    add_actuators(spec)
    return spec.compile()


def urdf() -> str:
    """Return the robot as a URDF of primitive shapes, made from the MJCF, for RViz and live TF."""
    model = robot_model()
    embodiment = load_embodiment()
    out = [
        f'<robot name="{embodiment.name}">',
        '  <link name="base_link"/>',
        _fixed("base_link", "link_base", np.zeros(3)),
    ]
    for body in range(1, model.nbody):
        out.append(_link(model, body))
        if model.body(body).name != "link_base":
            out.append(_joint(model, body, embodiment))
    for site in range(model.nsite):
        if model.site(site).name != "palm":
            name, parent = model.site(site).name, model.body(model.site_bodyid[site]).name
            out += [f'  <link name="{name}"/>', _fixed(parent, name, model.site_pos[site])]
    return "\n".join([*out, "</robot>"]) + "\n"


def _fixed(parent: str, child: str, position_m: np.ndarray) -> str:
    return (
        f'  <joint name="{child}_fixed" type="fixed">'
        f'<parent link="{parent}"/><child link="{child}"/>'
        f"{_origin(position_m, np.array([1.0, 0, 0, 0]))}</joint>"
    )


def _origin(position_m: np.ndarray, quaternion: np.ndarray) -> str:
    rotation = np.empty(9)
    mujoco.mju_quat2Mat(rotation, np.asarray(quaternion, dtype=np.float64))
    r = rotation.reshape(3, 3)
    pitch = math.asin(max(-1.0, min(1.0, -r[2, 0])))
    if abs(r[2, 0]) < 1.0 - 1e-9:
        roll, yaw = math.atan2(r[2, 1], r[2, 2]), math.atan2(r[1, 0], r[0, 0])
    else:  # gimbal lock: yaw is free, so it is zero
        roll, yaw = math.atan2(-r[1, 2], r[1, 1]), 0.0
    xyz = " ".join(f"{value:.9g}" for value in position_m)
    return f'<origin xyz="{xyz}" rpy="{roll:.9g} {pitch:.9g} {yaw:.9g}"/>'


def _link(model: mujoco.MjModel, body: int) -> str:
    inertia = model.body_inertia[body]
    parts = [
        f'  <link name="{model.body(body).name}">',
        f"    <inertial>{_origin(model.body_ipos[body], model.body_iquat[body])}"
        f'<mass value="{model.body_mass[body]:.6g}"/>'
        f'<inertia ixx="{inertia[0]:.6g}" iyy="{inertia[1]:.6g}" izz="{inertia[2]:.6g}" '
        f'ixy="0" ixz="0" iyz="0"/></inertial>',
    ]
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] == body:
            origin = _origin(model.geom_pos[geom], model.geom_quat[geom])
            shape = f"{origin}<geometry>{_shape(model, geom)}</geometry>"
            parts += [f"    <visual>{shape}</visual>", f"    <collision>{shape}</collision>"]
    return "\n".join([*parts, "  </link>"])


def _shape(model: mujoco.MjModel, geom: int) -> str:
    size = model.geom_size[geom]
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX:
        return f'<box size="{2 * size[0]:.6g} {2 * size[1]:.6g} {2 * size[2]:.6g}"/>'
    length = 2 * size[1] + (
        2 * size[0] if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_CAPSULE else 0
    )
    return f'<cylinder radius="{size[0]:.6g}" length="{length:.6g}"/>'  # URDF has no capsule


def _joint(model: mujoco.MjModel, body: int, embodiment: Embodiment) -> str:
    child, parent = model.body(body).name, model.body(model.body_parentid[body]).name
    origin = _origin(model.body_pos[body], model.body_quat[body])
    ends = f'<parent link="{parent}"/><child link="{child}"/>{origin}'
    if model.body_jntnum[body] == 0:
        return f'  <joint name="{child}_fixed" type="fixed">{ends}</joint>'
    joint = model.body_jntadr[body]
    i = JOINT_NAMES.index(model.joint(joint).name)
    axis = " ".join(f"{value:g}" for value in model.jnt_axis[joint])
    effort = model.actuator_forcerange[i, 1]
    return (
        f'  <joint name="{JOINT_NAMES[i]}" type="revolute">{ends}<axis xyz="{axis}"/>'
        f'<limit lower="{embodiment.lower[i]:.6g}" upper="{embodiment.upper[i]:.6g}" '
        f'effort="{effort:.6g}" velocity="{embodiment.velocity_limit[i]:.6g}"/></joint>'
    )
