"""Points on the surface of a task's object: what a point-cloud policy sees in simulation."""

from __future__ import annotations

import numpy as np

from hop_sim.scene import ObjectConfig, ShapeConfig

_SEED = 0  # every object has one canonical cloud. Source: HOP release, seed 0


def canonical_cloud(config: ObjectConfig, points: int) -> np.ndarray:
    """Return the cloud (points, 3) [m] in the object's frame: spread by area, always the same."""
    rng = np.random.default_rng(_SEED)
    areas = np.array([_area(shape) for shape in config.pieces])
    counts = rng.multinomial(points, areas / areas.sum())
    parts = [_sample(shape, count, rng) for shape, count in zip(config.pieces, counts, strict=True)]
    return np.concatenate(parts)


def posed_cloud(cloud: np.ndarray, T_base_object: np.ndarray) -> np.ndarray:
    """Return the points (N, 3) [m] of `cloud` in base_link, float32."""
    return (cloud @ T_base_object[:3, :3].T + T_base_object[:3, 3]).astype(np.float32)


def _area(shape: ShapeConfig) -> float:
    size = shape.size_m
    if shape.type == "box":
        return 8.0 * (size[0] * size[1] + size[1] * size[2] + size[2] * size[0])
    if shape.type == "cylinder":
        return 2.0 * np.pi * size[0] * (size[0] + 2.0 * size[1])
    return 4.0 * np.pi * size[0] ** 2


def _sample(shape: ShapeConfig, count: int, rng: np.random.Generator) -> np.ndarray:
    sampler = {"box": _on_box, "cylinder": _on_cylinder, "sphere": _on_sphere}[shape.type]
    local = sampler(np.array(shape.size_m), count, rng)
    c, s = np.cos(shape.yaw_rad), np.sin(shape.yaw_rad)
    return np.asarray(
        local @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) + shape.position_m
    )


def _on_box(half: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    area = np.array([half[1] * half[2], half[0] * half[2], half[0] * half[1]])
    axis = rng.choice(3, size=count, p=area / area.sum())
    points = rng.uniform(-1.0, 1.0, (count, 3)) * half
    points[np.arange(count), axis] = rng.choice([-1.0, 1.0], size=count) * half[axis]
    return points


def _on_cylinder(size: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    radius, half_height = size
    on_side = rng.random(count) < 2.0 * half_height / (2.0 * half_height + radius)
    angle = rng.uniform(0.0, 2.0 * np.pi, count)
    reach = np.where(on_side, radius, radius * np.sqrt(rng.random(count)))
    z = np.where(
        on_side,
        rng.uniform(-half_height, half_height, count),
        rng.choice([-1.0, 1.0], count) * half_height,
    )
    return np.stack([reach * np.cos(angle), reach * np.sin(angle), z], axis=1)


def _on_sphere(size: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    direction = rng.standard_normal((count, 3))
    return np.asarray(size[0] * direction / np.linalg.norm(direction, axis=1, keepdims=True))
