"""How the object moves through the steps of the attempts: poses, and speeds between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.retarget.attempts import Attempts
from hop_sim.tracks.rigid import quaternions

_SMALL = 1e-12


@dataclass(frozen=True)
class ObjectMotion:
    """The object in base_link for B attempts of N steps.

    Attributes:
        pose: (B, N + 1, 7) before step 0 and after each step: x, y, z [m], quaternion w, x, y, z.
        velocity: (B, N, 6) during each step: linear in base_link [m/s], angular in the object's
            frame [rad/s]; constant, so that the pose is met at the step's end.
    """

    pose: np.ndarray
    velocity: np.ndarray


def object_motion(
    T_table_object: np.ndarray, attempts: Attempts, lead_in: int, step_s: float
) -> ObjectMotion:
    """Return how the object moves: it rests in the lead-in, and then follows its track.

    Args:
        T_table_object: (F, 4, 4) poses after the F steps that follow the lead-in.
        attempts: where the table is.
        lead_in: steps before them.
        step_s: length of a step.
    """
    T = np.concatenate([np.repeat(T_table_object[:1], lead_in + 1, axis=0), T_table_object])
    rotation, position = T[:, :3, :3], T[:, :3, 3]
    table = attempts.T_base_table
    turn = np.swapaxes(rotation[:-1], 1, 2) @ rotation[1:]
    angular = _rotation_vectors(turn) / step_s
    batch, linear = len(attempts), np.diff(position, axis=0) / step_s
    return ObjectMotion(
        pose=np.concatenate(
            [
                np.einsum("bij,nj->bni", table[:, :3, :3], position) + table[:, None, :3, 3],
                _turned_about_z(attempts.yaw_rad, quaternions(rotation)),
            ],
            axis=2,
        ),
        velocity=np.concatenate(
            [
                np.einsum("bij,nj->bni", table[:, :3, :3], linear),
                np.broadcast_to(angular, (batch, *angular.shape)),
            ],
            axis=2,
        ),
    )


def carried(pose: np.ndarray, velocity: np.ndarray, time_s: float) -> np.ndarray:
    """Return poses (B, 7) after `time_s` at `velocity` (B, 6); both as in `ObjectMotion`."""
    speed = np.linalg.norm(velocity[:, 3:], axis=1)
    half = 0.5 * speed * time_s
    axis = velocity[:, 3:] / np.maximum(speed, _SMALL)[:, None]
    c, (x, y, z) = np.cos(half), (axis * np.sin(half)[:, None]).T
    a, b, d, e = pose[:, 3:].T  # the turn is in the object's frame: it is multiplied from the right
    turned = [
        a * c - b * x - d * y - e * z,
        a * x + b * c + d * z - e * y,
        a * y - b * z + d * c + e * x,
        a * z + b * y - d * x + e * c,
    ]
    return np.column_stack([pose[:, :3] + time_s * velocity[:, :3], *turned])


def yaw_quaternions(yaw_rad: np.ndarray) -> np.ndarray:
    """Return the turns `yaw_rad` (B,) about z as quaternions (B, 4)."""
    zero = np.zeros_like(yaw_rad)
    return np.stack([np.cos(0.5 * yaw_rad), zero, zero, np.sin(0.5 * yaw_rad)], axis=-1)


def _turned_about_z(yaw_rad: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Quaternions (B, N, 4) of `q` (N, 4) turned by `yaw_rad` (B,) about z of the outer frame."""
    c, s = np.cos(0.5 * yaw_rad)[:, None], np.sin(0.5 * yaw_rad)[:, None]
    w, x, y, z = q.T
    return np.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], axis=-1)


def _rotation_vectors(rotation: np.ndarray) -> np.ndarray:
    """Rotations (N, 3, 3) of less than half a turn as axis times angle (N, 3) [rad]."""
    q = quaternions(rotation)
    q = np.where(q[:, :1] < 0.0, -q, q)
    sine = np.linalg.norm(q[:, 1:], axis=1)
    angle = 2.0 * np.arctan2(sine, q[:, 0])
    return np.asarray(q[:, 1:] * (angle / np.maximum(sine, _SMALL))[:, None])
