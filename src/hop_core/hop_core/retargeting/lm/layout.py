"""The arrays of the compiled search: the robot's constants, settings, and room for one problem."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hop_core.embodiment import FINGERS, JOINT_NAMES
from hop_core.retargeting.chain import ARM_LENGTH, FINGER_LENGTH
from hop_core.retargeting.lm.jit import source_stamp

JOINTS, HANDFUL = len(JOINT_NAMES), len(FINGERS)
RHS = ARM_LENGTH  # index of the gradient beside the arm's seven joints
ROW = ARM_LENGTH + 1
LOAD = 16  # figures of a load


class Robot(NamedTuple):
    """The robot's part of Eq. 1; see `Chain` for the first four.

    Attributes:
        fixed, parent, point_frame, point_m: of the chain.
        weight: (K,) w_k.
        lower, upper, home: (23,) joint angles [rad].
    """

    fixed: np.ndarray
    parent: np.ndarray
    point_frame: np.ndarray
    point_m: np.ndarray
    weight: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    home: np.ndarray


class Settings(NamedTuple):
    """Lambda of Eq. 1, for each joint (23,) and the least, and the figures of `LmConfig`."""

    lam: np.ndarray
    least_lam: float
    ftol_rel: float
    max_iterations: int
    damping_warm: float
    damping_cold: float
    damping_up: float
    damping_down: float
    damping_limit: float
    cold_distance_m: float


class Scratch(NamedTuple):
    """Room for one problem. What has eight places has one a joint of the arm, and the gradient's.

    Attributes:
        frames: (24, 3, 4) pose of each frame of the chain in base_link.
        points, miss: (K, 3) f(a), and x_h - f(a) [m].
        screw: (23, 6) each joint's axis, and the velocity of base_link's origin in turning by it.
        load: (24, 16) what each frame carries: sum, first moments and second moments of its masses,
            moment and force of the misses, about base_link's origin.
        arm: (8, 8) lower half of the arm's block of the Hessian, its gradient as the last row.
        coupling: (4, 4, 8) of each finger's joints with the arm, and their gradient.
        finger: (4, 4, 4) lower halves of the fingers' blocks.
        arm_left: (8, 8) what elimination of the fingers leaves of `arm`.
        ahead, scaled: (8, 4, 4) coupling after elimination, and the same over the pivots.
        factor: (4, 4, 4) L below the diagonal, D L' above it, 1 / D on it.
        stamp: of the source; see `source_stamp`.
        step, trial, other: (23,) a step, where it leads, and the second search's posture.
    """

    frames: np.ndarray
    points: np.ndarray
    miss: np.ndarray
    screw: np.ndarray
    load: np.ndarray
    arm: np.ndarray
    coupling: np.ndarray
    finger: np.ndarray
    arm_left: np.ndarray
    ahead: np.ndarray
    scaled: np.ndarray
    factor: np.ndarray
    step: np.ndarray
    trial: np.ndarray
    other: np.ndarray
    stamp: np.ndarray


def scratch(points: int) -> Scratch:
    """Return room for problems of `points` points."""
    frames = np.zeros((JOINTS + 1, 3, 4))
    frames[0, :, :3] = np.eye(3)
    return Scratch(
        frames=frames,
        points=np.zeros((points, 3)),
        miss=np.zeros((points, 3)),
        screw=np.zeros((JOINTS, 6)),
        load=np.zeros((JOINTS + 1, LOAD)),
        arm=np.zeros((ROW, ROW)),
        coupling=np.zeros((HANDFUL, FINGER_LENGTH, ROW)),
        finger=np.zeros((HANDFUL, FINGER_LENGTH, FINGER_LENGTH)),
        arm_left=np.zeros((ROW, ROW)),
        ahead=np.zeros((ROW, HANDFUL, FINGER_LENGTH)),
        scaled=np.zeros((ROW, HANDFUL, FINGER_LENGTH)),
        factor=np.zeros((HANDFUL, FINGER_LENGTH, FINGER_LENGTH)),
        step=np.zeros(JOINTS),
        trial=np.zeros(JOINTS),
        other=np.zeros(JOINTS),
        stamp=source_stamp(),
    )
