"""One file of the release: a trajectory's joint angles, targets and object cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hop_core.embodiment import joint_index, load_embodiment
from hop_core.errors import TrajectoryError
from hop_sim.trajectories.layout import CLOUD_POINTS
from hop_sim.trajectories.release.config import JOINT_ORDERS, JointOrder, ReleaseConfig
from hop_sim.trajectories.release.unpickle import PickledArray, read_dictionary

# Field of the file, and the shape of one of its frames. Source: HOP release, robot_dataset.
_ROWS = {"robot_qpos": (23,), "target_qpos": (23,), "object_pc": (CLOUD_POINTS, 3)}


@dataclass(frozen=True)
class ReleaseFile:
    """What a file holds, in this workspace's order and frame; T frames.

    Attributes:
        q: (T, 23) posture [rad].
        q_target: (T, 23) executed target [rad].
        cloud: (T, 100, 3) points of the object in base_link [m].
    """

    q: np.ndarray
    q_target: np.ndarray
    cloud: np.ndarray


def read_file(path: Path, config: ReleaseConfig, order: JointOrder = "disk") -> ReleaseFile:
    """Return the trajectory in `path`.

    Args:
        path: an .npy file of the release.
        config: its frame, and what is refused.
        order: of the joints in the file.

    Raises:
        TrajectoryError: naming file and field: it is damaged, holds more than numbers, or numbers
            of another shape or unit.
    """
    found = read_dictionary(path)
    values = {}
    for field, shape in _ROWS.items():
        if field not in found:
            names = ", ".join(map(str, found)) or "nothing"
            raise TrajectoryError(f"{path}: {field}: is missing; the file holds {names}")
        try:
            values[field] = _frames(found[field], shape)
        except ValueError as error:
            raise TrajectoryError(f"{path}: {field}: {error}") from error
    lengths = {field: len(rows) for field, rows in values.items()}
    if len(set(lengths.values())) > 1 or min(lengths.values()) < config.min_frames:
        raise TrajectoryError(
            f"{path}: {lengths}: the fields must have equally many frames, at least "
            f"{config.min_frames}"
        )
    index = joint_index(JOINT_ORDERS[order])
    result = ReleaseFile(
        values["robot_qpos"][:, index],
        values["target_qpos"][:, index],
        config.frame.to_base(values["object_pc"]),
    )
    _require_plausible(result, path, config)
    return result


def _require_plausible(file: ReleaseFile, path: Path, config: ReleaseConfig) -> None:
    robot = load_embodiment()
    low, high = (
        robot.policy_lower - config.joint_slack_rad,
        robot.policy_upper + config.joint_slack_rad,
    )
    for field, angles in (("robot_qpos", file.q), ("target_qpos", file.q_target)):
        frames, joints = np.nonzero((angles < low) | (angles > high))
        if len(frames):
            k, j = int(frames[0]), int(joints[0])
            raise TrajectoryError(
                f"{path}: {field}: {robot.data.joints[j]} is {angles[k, j]:.3g} in frame {k}, "
                f"allowed are {low[j]:.3g} to {high[j]:.3g} rad; is the unit or the joint order "
                "another?"
            )
    far = float(np.linalg.norm(file.cloud, axis=2).max())
    if far > config.reach_m:
        raise TrajectoryError(
            f"{path}: object_pc: a point is {far:.3g} m from the robot's base, allowed are "
            f"{config.reach_m:g}; is the unit or the frame another?"
        )


def _frames(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the frames (T, *shape) in a pickled array, or in a list with one value per frame."""
    if isinstance(value, PickledArray) and value.values is not None:
        rows = _numbers(value, (len(value.values) if value.shape else 0, *shape))
    else:
        items = value.items if isinstance(value, PickledArray) else value
        if not isinstance(items, list | tuple):
            raise ValueError(f"must be a list or array of frames, got {type(items).__name__}")
        rows = (
            np.stack([_numbers(item, shape) for item in items]) if items else np.zeros((0, *shape))
        )
    if not np.isfinite(rows).all():
        raise ValueError(
            f"frame {int(np.argwhere(~np.isfinite(rows))[0][0])} holds NaN or infinity"
        )
    return rows


def _numbers(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a pickled array, or numbers in nested lists, as float64 of `shape`."""
    if isinstance(value, PickledArray):
        if value.values is None:
            value = value.items
        elif value.shape == shape:
            return value.values.astype(np.float64)
        else:
            raise ValueError(f"must be frames of {shape}, got {value.shape}")
    if not shape:
        if type(value) not in (int, float):
            raise ValueError(f"must hold numbers, got {type(value).__name__}")
        return np.array(value, dtype=np.float64)
    if not isinstance(value, list | tuple) or len(value) != shape[0]:
        raise ValueError(f"must be frames of {shape}")
    return np.stack([_numbers(item, shape[1:]) for item in value])
