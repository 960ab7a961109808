"""Shapes of solids and their triangles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import mujoco
import numpy as np
import trimesh

from hop_core.errors import ViewError


class PrimitiveKind(StrEnum):
    """The primitives that our models are made of."""

    BOX = "box"
    SPHERE = "sphere"
    CAPSULE = "capsule"
    CYLINDER = "cylinder"


@dataclass(frozen=True)
class Primitive:
    """A primitive about its origin, round ones along z.

    Attributes:
        kind: which.
        size_m: as MuJoCo has it: box half sizes x, y, z; sphere radius; capsule and cylinder radius
            and half of the straight length.
    """

    kind: PrimitiveKind
    size_m: tuple[float, ...]

    def grown(self, by_m: float) -> Primitive:
        """Return the same primitive with its surface `by_m` farther out.

        A capsule's straight part keeps its length: its ends are round.
        """
        grow = [by_m] * len(self.size_m)
        if self.kind is PrimitiveKind.CAPSULE:
            grow[1] = 0.0
        return Primitive(self.kind, tuple(a + b for a, b in zip(self.size_m, grow, strict=True)))


@dataclass(frozen=True)
class Hull:
    """A convex solid.

    Attributes:
        vertices_m: (V, 3) its corners.
        faces: (F, 3) int, its triangles, corners counter-clockwise from outside.
    """

    vertices_m: np.ndarray
    faces: np.ndarray


@dataclass(frozen=True)
class PointSet:
    """Points (P, 3) [m] that are rigid together."""

    points_m: np.ndarray


Shape = Primitive | Hull | PointSet


def convex_hull(points_m: np.ndarray) -> Hull:
    """Return the convex hull of `points_m` (P, 3).

    MuJoCo's compiler makes it: a mesh without faces is taken as the hull of its vertices.

    Raises:
        ViewError: the points lie in one plane.
    """
    spec = mujoco.MjSpec()
    spec.add_mesh(name="hull", uservert=np.asarray(points_m, dtype=np.float64).ravel())
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname="hull")
    try:
        model = spec.compile()
    except ValueError as error:
        raise ViewError(
            f"the {len(points_m)} points of the object span no solid; make its track again with "
            "points on its whole surface"
        ) from error
    rotation = np.empty(9)  # the compiler turns and shifts a mesh to its principal axes
    mujoco.mju_quat2Mat(rotation, model.mesh_quat[0])
    corners, faces = np.unique(model.mesh_face, return_inverse=True)
    vertices = model.mesh_vert[corners] @ rotation.reshape(3, 3).T + model.mesh_pos[0]
    return Hull(np.asarray(vertices), np.asarray(faces).reshape(-1, 3))


def triangles(shape: Primitive | Hull) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (V, 3) [m] and faces (F, 3) of a shape about its origin."""
    if isinstance(shape, Hull):
        return shape.vertices_m, shape.faces
    size = shape.size_m
    match shape.kind:
        case PrimitiveKind.BOX:
            mesh = trimesh.creation.box(extents=[2.0 * each for each in size])
        case PrimitiveKind.SPHERE:
            mesh = trimesh.creation.icosphere(subdivisions=2, radius=size[0])
        case PrimitiveKind.CAPSULE:
            mesh = trimesh.creation.capsule(height=2.0 * size[1], radius=size[0], count=(12, 24))
        case PrimitiveKind.CYLINDER:
            mesh = trimesh.creation.cylinder(radius=size[0], height=2.0 * size[1], sections=24)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)
