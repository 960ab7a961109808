"""The fixed frames and the URDF of one robot cell, for its bags."""

from __future__ import annotations

import numpy as np

from hop_core import topics
from hop_core.robot_config import RobotConfig
from hop_core.robot_model import urdf
from hop_policy.statics import StaticFrame, Statics

TABLE_FRAME = "table"


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
