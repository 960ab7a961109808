"""Points on the surface of a triangle mesh, and meshes from Wavefront OBJ files."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np

from hop_core.errors import TrackError
from hop_sim.tracks.npz import read_bytes

_SEED = 0  # an object has one canonical cloud


def surface_points(vertices: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """Return (count, 3) float32 points on a mesh, spread by area, always the same ones.

    Args:
        vertices: (V, 3) [m].
        faces: (F, 3) indices of vertices, of some area.
        count: points.
    """
    rng = np.random.default_rng(_SEED)
    corners = vertices[faces].astype(np.float64)
    edge_a, edge_b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.linalg.norm(np.cross(edge_a, edge_b), axis=1)
    share = (
        np.arange(count) + rng.random(count)
    ) / count  # one point in each equal part of the area
    face = np.searchsorted(np.cumsum(areas) / areas.sum(), share).clip(max=len(faces) - 1)
    u, v = rng.random((2, count, 1))
    outside = u + v > 1.0
    u, v = np.where(outside, 1.0 - u, u), np.where(outside, 1.0 - v, v)
    return np.asarray(corners[face, 0] + u * edge_a[face] + v * edge_b[face], dtype=np.float32)


def require_mesh(vertices: np.ndarray, faces: np.ndarray, where: str) -> None:
    """Refuse a mesh whose faces name vertices that are not there, or that has no area.

    Raises:
        TrackError: naming what is wrong.
    """
    if not len(faces) or faces.min() < 0 or faces.max() >= len(vertices):
        raise TrackError(
            f"{where}: faces: must name vertices 0 to {len(vertices) - 1}; the mesh is damaged"
        )
    corners = vertices[faces].astype(np.float64)
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    if not np.isfinite(sides).all() or np.linalg.norm(sides, axis=1).sum() <= 0.0:
        raise TrackError(f"{where}: vertices: the mesh has no surface; the file is damaged")


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return vertices (V, 3) [m] and faces (F, 3) of an OBJ file; polygons are cut into triangles.

    Raises:
        TrackError: the file is missing, or no mesh can be read from it.
    """
    vertices, faces = [], []
    text = read_bytes(path).decode("utf-8", errors="replace")
    try:
        for line in text.splitlines():
            kind, *fields = line.split() or [""]
            if kind == "v":
                vertices.append([float(number) for number in fields[:3]])
            elif kind == "f":
                corner = [int(field.split("/")[0]) for field in fields]
                corner = [i - 1 if i > 0 else len(vertices) + i for i in corner]
                faces += [[corner[0], b, c] for b, c in pairwise(corner[1:])]
        mesh = np.array(vertices).reshape(-1, 3), np.array(faces, dtype=np.int64).reshape(-1, 3)
    except (ValueError, IndexError) as error:
        raise TrackError(f"{path}: is truncated or no OBJ file: {error}") from error
    require_mesh(*mesh, str(path))
    return mesh
