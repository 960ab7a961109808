"""What the camera sees of a trajectory: robot, object, and what is known of table and obstacles."""

from __future__ import annotations

import numpy as np

from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_sim.retarget.scene import OBJECT, TABLE, build_track_scene, obstacle_name
from hop_sim.scene import DRAWN_M, TABLE_THICKNESS_M
from hop_sim.trajectories.trajectory import OBSTACLES

_SHOWN, _HIDDEN = 0, 5  # groups of geometry; MuJoCo draws the first three
_ANY_HALF_M = 0.1  # of an obstacle until it is arranged


class TrajectoryScene:
    """The scene that physics touched, without the human hand; one object, any trajectory of it.

    Attributes:
        model: the compiled scene, to render.
    """

    def __init__(self, surface_m: np.ndarray) -> None:
        """Compile it.

        Args:
            surface_m: (P, 3) on the object's surface, in its frame; the object is their hull.

        Raises:
            TrackError: the points span no volume.
        """
        embodiment = load_embodiment()
        any_obstacles = np.full((OBSTACLES, 3), _ANY_HALF_M)
        self.model = build_track_scene(
            surface_m, any_obstacles, embodiment, embodiment.rates.physics_period_s
        )
        self.model.vis.map.znear, self.model.vis.map.zfar = DRAWN_M
        self.model.stat.extent = 1.0
        address = int(self.model.joint(OBJECT).qposadr[0])
        self._object = slice(address, address + 7)

    def arrange(self, table_xyz_yaw: np.ndarray, obstacles: np.ndarray) -> None:
        """Put table and obstacles where a trajectory has them, and hide what is not known.

        Args:
            table_xyz_yaw: (4,) table frame in base_link [m, rad]; NaN: not known.
            obstacles: (OBSTACLES, 7) centre, half sizes [m] and yaw [rad]; rows of NaN are none.
        """
        below = np.array([0.0, 0.0, TABLE_THICKNESS_M / 2])
        x_y_z, yaw = table_xyz_yaw[:3] - below, table_xyz_yaw[3]
        self._place(TABLE, x_y_z, float(yaw))
        for i, box in enumerate(obstacles):
            name = obstacle_name(i)
            self._place(name, box[:3], float(box[6]))
            self.model.geom(name).size[:] = np.nan_to_num(box[3:6])

    def qpos(self, q: np.ndarray, object_pose: np.ndarray) -> np.ndarray:
        """Return the positions (nq,) of `model`.

        Args:
            q: (23,) joint angles [rad].
            object_pose: (7,) in base_link: x, y, z [m], quaternion w, x, y, z.
        """
        qpos = np.zeros(self.model.nq)
        qpos[: len(JOINT_NAMES)] = q
        qpos[self._object] = object_pose
        return qpos

    def _place(self, name: str, position_m: np.ndarray, yaw_rad: float) -> None:
        """A body at a position with a yaw, or hidden where these are NaN."""
        known = bool(np.isfinite(position_m).all() and np.isfinite(yaw_rad))
        self.model.geom(name).group[:] = _SHOWN if known else _HIDDEN
        if known:
            body = self.model.body(name)
            body.pos[:] = position_m
            body.quat[:] = np.cos(yaw_rad / 2), 0.0, 0.0, np.sin(yaw_rad / 2)
