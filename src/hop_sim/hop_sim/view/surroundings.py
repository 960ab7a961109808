"""What stands around hand and robot: object, table, floor, obstacle boxes."""

from __future__ import annotations

import numpy as np

from hop_sim.retarget.scene import TABLE_HALF_M
from hop_sim.scene import FLOOR_M, TABLE_THICKNESS_M
from hop_sim.view.drawing import Layer, Solid
from hop_sim.view.shapes import PointSet, Primitive, PrimitiveKind, convex_hull

_FLOOR_DRAWN_M = 3.0
_STANDING = np.array([[0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])


def object_solids(surface_m: np.ndarray, poses: np.ndarray) -> tuple[Solid, Solid]:
    """Return the object as its convex hull, translucent, and as its points.

    Args:
        surface_m: (P, 3) on its surface, in its own frame.
        poses: (T, 7) in the drawing's frame.
    """
    hull = Solid(
        "object/hull", Layer.OBJECT, convex_hull(surface_m), (0.25, 0.65, 0.35, 0.55), poses
    )
    points = Solid(
        "points/surface", Layer.SURFACE, PointSet(surface_m), (0.1, 0.4, 0.2, 1.0), poses
    )
    return hull, points


def table_solid(table_xyz_yaw: np.ndarray | None = None) -> Solid:
    """Return the table, its top's plane through x, y, z; default: the origin.

    Tracks and stores know its plane, not its edges: those that it has in physics are drawn.
    """
    pose = _STANDING if table_xyz_yaw is None else upright_pose(table_xyz_yaw)[None]
    half = np.array([*TABLE_HALF_M, TABLE_THICKNESS_M / 2])
    below = pose - np.array([0.0, 0.0, half[2], 0.0, 0.0, 0.0, 0.0])
    shape = Primitive(PrimitiveKind.BOX, tuple(half.tolist()))
    return Solid("table/top", Layer.TABLE, shape, (0.66, 0.55, 0.44, 1.0), below)


def floor_solid() -> Solid:
    """Return the floor of the simulated scene in base_link, as a thin plate."""
    shape = Primitive(PrimitiveKind.BOX, (_FLOOR_DRAWN_M / 2, _FLOOR_DRAWN_M / 2, 0.005))
    pose = _STANDING + np.array([0.0, 0.0, FLOOR_M - 0.005, 0.0, 0.0, 0.0, 0.0])
    return Solid("table/floor", Layer.TABLE, shape, (0.72, 0.74, 0.76, 1.0), pose)


def obstacle_solids(boxes: np.ndarray) -> tuple[Solid, ...]:
    """Return obstacle boxes of a scene.

    Args:
        boxes: (N, 7) centre x, y, z, half sizes x, y, z [m] and yaw [rad]; rows of NaN are none.
    """
    return tuple(
        Solid(
            f"obstacles/{number}",
            Layer.OBSTACLES,
            Primitive(PrimitiveKind.BOX, tuple(float(size) for size in box[3:6])),
            (0.75, 0.3, 0.3, 0.6),
            upright_pose(np.append(box[:3], box[6]))[None],
        )
        for number, box in enumerate(np.asarray(boxes, dtype=np.float64))
        if np.isfinite(box).all()
    )


def upright_pose(xyz_yaw: np.ndarray) -> np.ndarray:
    """Return the pose (7,) at x, y, z [m], turned by yaw [rad] about z."""
    x, y, z, yaw = (float(value) for value in xyz_yaw)
    return np.array([x, y, z, np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])
