"""A solid that stands on its foot: an outline scaled over the height. Boxes, balls, bottles.

Object frame: origin in the middle of the foot, z up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.tracks.mesh import surface_points

_MARCH_M = 0.0015  # thinner parts than this may be passed by a ray
_HALVINGS = 14  # from the step above to 0.1 micrometres
_AROUND, _UP = 96, 24  # of the mesh from which points are drawn
_NUDGE_M = 1e-5  # of the differences that give a normal


@dataclass(frozen=True)
class Shape:
    """|x / a|^n + |y / b|^n = s(z)^n for z from 0 to the height, closed by flat ends.

    Attributes:
        half_m: (a, b).
        squareness: n; 2 is an ellipse, a large one a rectangle with rounded edges.
        height_m: of the solid.
        profile: (K, 2) pairs of z / height and s, in between linear.
    """

    half_m: tuple[float, float]
    squareness: float
    height_m: float
    profile: np.ndarray

    @property
    def size_m(self) -> np.ndarray:
        """(3,) width, depth and height."""
        widest = 2.0 * float(self.profile[:, 1].max())
        return np.array([widest * self.half_m[0], widest * self.half_m[1], self.height_m])

    def scale(self, z: np.ndarray) -> np.ndarray:
        """Return s(z) (...) at heights `z` (...) [m]."""
        return np.asarray(np.interp(z / self.height_m, self.profile[:, 0], self.profile[:, 1]))

    def radius(self, points: np.ndarray) -> np.ndarray:
        """Return (...) distance of `points` (..., 3) from the axis over that of the surface."""
        n = self.squareness
        across = np.abs(points[..., :2]) / self.half_m
        largest = across.max(axis=-1, keepdims=True) + 1e-12  # keeps the powers near 1
        norm = largest[..., 0] * ((across / largest) ** n).sum(axis=-1) ** (1.0 / n)
        return np.asarray(norm / self.scale(points[..., 2]))

    def inside(self, points: np.ndarray, share: float = 1.0) -> np.ndarray:
        """Return (...) whether `points` (..., 3) are within `share` of the radius."""
        z = points[..., 2]
        return (self.radius(points) < share) & (z > 0.0) & (z < self.height_m)

    def hit(self, start: np.ndarray, direction: np.ndarray, reach_m: float) -> np.ndarray:
        """Return where rays meet the surface first, (R, 3); NaN where they miss.

        Args:
            start: (R, 3) outside the solid.
            direction: (R, 3) unit vectors.
            reach_m: length of the rays.
        """
        steps = np.arange(0.0, reach_m, _MARCH_M)
        within = self.inside(start[:, None] + steps[:, None] * direction[:, None])
        first = np.argmax(within, axis=1)
        near, far = steps[first] - _MARCH_M, steps[first].copy()
        for _ in range(_HALVINGS):
            middle = 0.5 * (near + far)
            deep = self.inside(start + middle[:, None] * direction)
            near, far = np.where(deep, near, middle), np.where(deep, middle, far)
        points = start + far[:, None] * direction
        points[~within.any(axis=1)] = np.nan
        return np.asarray(points)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Return unit vectors (R, 3) out of the side wall at `points` (R, 3)."""
        nudges = np.eye(3) * _NUDGE_M
        slope = self.radius(points[:, None] + nudges) - self.radius(points[:, None] - nudges)
        return np.asarray(slope / (np.linalg.norm(slope, axis=-1, keepdims=True) + 1e-12))

    def surface(self, count: int) -> np.ndarray:
        """Return (count, 3) float32 points on the whole surface, spread by area."""
        angle = np.linspace(0.0, 2.0 * np.pi, _AROUND, endpoint=False)
        ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(_AROUND)], axis=1)
        foot = ring / (self.radius(ring) * self.scale(np.zeros(1)))[:, None]
        z = np.union1d(np.linspace(0.0, 1.0, _UP), self.profile[:, 0]) * self.height_m
        rings = foot * self.scale(z)[:, None, None] + np.stack([0 * z, 0 * z, z], axis=1)[:, None]
        vertices = np.concatenate([rings.reshape(-1, 3), [[0, 0, 0], [0, 0, self.height_m]]])
        return surface_points(vertices, _tube_faces(len(z)), count)


def _tube_faces(rings: int) -> np.ndarray:
    """Triangles (F, 3) between `rings` rings of _AROUND vertices and two middles after them."""
    here = np.arange(_AROUND)
    after = (here + 1) % _AROUND
    faces = []
    for i in range(rings - 1):
        low, high = i * _AROUND, (i + 1) * _AROUND
        faces += [np.stack([low + here, low + after, high + after], axis=1)]
        faces += [np.stack([low + here, high + after, high + here], axis=1)]
    foot, top = rings * _AROUND, rings * _AROUND + 1
    last = (rings - 1) * _AROUND
    faces += [np.stack([np.full(_AROUND, foot), after, here], axis=1)]
    faces += [np.stack([np.full(_AROUND, top), last + here, last + after], axis=1)]
    return np.concatenate(faces)
