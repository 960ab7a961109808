"""The fixed frames and the URDF of one robot cell, for its bags."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hop_core import topics
from hop_core.robot_config import RobotConfig
from hop_core.robot_model import urdf
from hop_policy.statics import StaticFrame, Statics

TABLE_FRAME = "table"


@dataclass(frozen=True)
class CellFrames:
    """Where camera and table of a cell stand, as calibrated: bumps are not known.

    Attributes:
        T_base_cam: (4, 4) pose of the camera's optical frame in base_link.
        T_base_table: (4, 4) pose of the middle of the table's top.
    """

    T_base_cam: np.ndarray
    T_base_table: np.ndarray


def cell_frames(frames: Sequence[StaticFrame]) -> CellFrames | None:
    """Return what `frames` tell of the cell; None where one of the two is not among them."""
    poses = {each.child: each.T_parent_child for each in frames if each.parent == topics.BASE_FRAME}
    camera, table = poses.get(topics.CAMERA_FRAME), poses.get(TABLE_FRAME)
    return None if camera is None or table is None else CellFrames(camera, table)


def cell_statics(robot: RobotConfig) -> Statics:
    """Return the robot's URDF with the camera's optical frame and the table's top in base_link."""
    T_base_table = np.eye(4)
    T_base_table[:3, 3] = robot.table.center_m
    return Statics(
        urdf=urdf(),
        frames=(
            StaticFrame(topics.BASE_FRAME, topics.CAMERA_FRAME, robot.camera.T_base_cam),
            StaticFrame(topics.BASE_FRAME, TABLE_FRAME, T_base_table),
        ),
    )
