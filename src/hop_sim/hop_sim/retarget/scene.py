"""The scene of a track: robot with servos, its table, obstacles and the object, moved by hand."""

from __future__ import annotations

import mujoco
import numpy as np

from hop_core.embodiment import HAND_JOINTS, JOINT_NAMES, Embodiment
from hop_core.errors import TrackError
from hop_core.robot_model import ARM_BIT, HAND_BIT, STATIC_BIT, add_actuators, robot_spec
from hop_sim.scene import FLOOR_M, TABLE_THICKNESS_M

OBJECT = "object"
TABLE = "table"
ARM_LINKS = tuple(f"link{i}" for i in range(1, 8))
TABLE_HALF_M = np.array([0.5, 0.5])
"""Half edges of a track's table, along x and y of its frame."""
SENSORS = (*ARM_LINKS, f"hand_{OBJECT}", f"hand_{TABLE}")
"""Contact sensors: of each arm link with anything (found), of the hand (found, distance)."""
_HEAVY_KG = 200.0  # the object follows its track whatever pushes it
_HEAVY_INERTIA = 5.0
_STIFFEST = 2.0  # time steps that a stop takes to push back: with less it is not stable
_STOP_IMPEDANCE = [0.95, 0.9999, 0.0005, 0.5, 2.0]
_UNSORTED, _DEEPEST = 0, 1  # how a contact sensor picks the one that it reports


def obstacle_name(index: int) -> str:
    """Return the body's name of obstacle `index`."""
    return f"obstacle_{index}"


def build_track_scene(
    object_points_m: np.ndarray,
    obstacle_half_m: np.ndarray,
    embodiment: Embodiment,
    period_s: float,
) -> mujoco.MjModel:
    """Return the compiled scene of a track.

    The hand's motors are position servos with the gains and caps of its PD. The object is the
    convex hull of its points: heavy, weightless, and touched by the robot alone.

    Args:
        object_points_m: (P, 3) on the object's surface, in its frame.
        obstacle_half_m: (M, 3) half edges of the obstacles.
        embodiment: the robot.
        period_s: time step.

    Raises:
        TrackError: the points span no volume.
    """
    spec = robot_spec(embodiment)
    add_actuators(spec, embodiment)
    _servo_the_hand(spec, embodiment)
    _stiffen_the_stops(spec, period_s)
    spec.modelname = "hop_track"
    spec.option.timestep = period_s
    _add_box(spec, TABLE, np.array([*TABLE_HALF_M, TABLE_THICKNESS_M / 2]))
    for i, half_m in enumerate(obstacle_half_m):
        _add_box(spec, obstacle_name(i), half_m)
    spec.worldbody.add_geom(
        name="floor",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[0.0, 0.0, FLOOR_M],
        size=[3.0, 3.0, 0.1],
        **_STATIC,
    )
    _add_object(spec, object_points_m)
    _add_sensors(spec)
    try:
        return spec.compile()
    except ValueError as error:
        why = str(error).removeprefix("Error: ").splitlines()[0].split(". ")[0]
        raise TrackError(f"object_points_m: no solid can be made of the points: {why}") from error


_STATIC = {"contype": STATIC_BIT, "conaffinity": ARM_BIT | HAND_BIT}


def _servo_the_hand(spec: mujoco.MjSpec, embodiment: Embodiment) -> None:
    hand = embodiment.hand
    for i, name in enumerate(HAND_JOINTS):
        unit_nm = hand.torque_per_unit_nm
        spec.actuator(name).set_to_position(kp=hand.kp[i] * unit_nm, kv=hand.kd[i] * unit_nm)


def _stiffen_the_stops(spec: mujoco.MjSpec, period_s: float) -> None:
    """Joints end where the real ones do: softer stops give way when the object presses."""
    for name in JOINT_NAMES:
        joint = spec.joint(name)
        joint.solref_limit = [_STIFFEST * period_s, 1.0]
        joint.solimp_limit = _STOP_IMPEDANCE


def _add_box(spec: mujoco.MjSpec, name: str, half_m: np.ndarray) -> None:
    """A box of its own body, which every attempt puts elsewhere."""
    body = spec.worldbody.add_body(name=name)
    body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_BOX, size=half_m, **_STATIC)


def _add_object(spec: mujoco.MjSpec, points_m: np.ndarray) -> None:
    spec.add_mesh(name=OBJECT, uservert=np.asarray(points_m, np.float64).ravel())
    body = spec.worldbody.add_body(name=OBJECT, gravcomp=1.0)
    body.explicitinertial = True
    body.mass = _HEAVY_KG
    body.inertia = [_HEAVY_INERTIA] * 3
    body.add_freejoint(name=OBJECT)
    body.add_geom(
        name=OBJECT,
        type=mujoco.mjtGeom.mjGEOM_MESH,
        meshname=OBJECT,
        contype=STATIC_BIT,
        conaffinity=ARM_BIT | HAND_BIT,
        condim=4,
    )


def _add_sensors(spec: mujoco.MjSpec) -> None:
    """Contacts of each arm link with anything, and of the hand with object and table."""
    contact = mujoco.mjtSensor.mjSENS_CONTACT
    found = 1 << int(mujoco.mjtConDataField.mjCONDATA_FOUND)
    depth = 1 << int(mujoco.mjtConDataField.mjCONDATA_DIST)
    for link in ARM_LINKS:
        spec.add_sensor(
            name=link,
            type=contact,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            objname=link,
            intprm=[found, _UNSORTED, 1],
        )
    for other in (OBJECT, TABLE):
        spec.add_sensor(
            name=f"hand_{other}",
            type=contact,
            objtype=mujoco.mjtObj.mjOBJ_XBODY,
            objname="palm",
            reftype=mujoco.mjtObj.mjOBJ_BODY,
            refname=other,
            intprm=[found | depth, _DEEPEST, 1],
        )
