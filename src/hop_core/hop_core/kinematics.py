"""Forward kinematics, Jacobians and distances in `base_link`, by MuJoCo on our own model."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from hop_core.embodiment import JOINT_NAMES
from hop_core.errors import ModelError
from hop_core.robot_model import ARM_BODIES, SITES, robot_model

# Pairs that can meet within the joint limits. Left out are neighbours, and next neighbours at the
# shoulder and the elbow, which always touch, and link5 with link7, which the limits of the arm keep
# as far apart as they can be.
_SELF_PAIRS = [
    *((a, b) for a in ("base", "link1", "link2") for b in ("link5", "link6", "link7", "palm")),
    ("base", "link4"),
    ("link4", "palm"),
    ("link5", "palm"),
]


@dataclass(frozen=True)
class Clearance:
    """The nearest approach of the arm and palm [m]; negative means penetration.

    Attributes:
        self_m: smallest distance between links of the arm, or one and the palm, that can meet.
        self_pair: the two geoms of `self_m`.
        lowest_m: height in base_link of the lowest point of links 2-7 and the palm.
        lowest_geom: the geom of `lowest_m`.
    """

    self_m: float
    self_pair: tuple[str, str]
    lowest_m: float
    lowest_geom: str


class Kinematics:
    """Kinematics of the 23-joint robot; one instance per thread, since it owns a scratch state."""

    def __init__(self) -> None:
        """Take the compiled robot and a scratch state of its own."""
        self.model = robot_model()
        self._data = mujoco.MjData(self.model)
        self._site = {name: self.model.site(name).id for name in SITES}
        self._pairs = [(self.model.geom(a).id, self.model.geom(b).id) for a, b in _SELF_PAIRS]
        bodies = {self.model.body(name).id for name in (*ARM_BODIES[2:], "palm")}
        self._moving = [g for g in range(self.model.ngeom) if self.model.geom_bodyid[g] in bodies]
        self._jacobian = np.zeros((6, self.model.nv))

    def _place(self, q: np.ndarray) -> None:
        if q.shape != (len(JOINT_NAMES),):
            raise ModelError(f"joint angles must have shape ({len(JOINT_NAMES)},), got {q.shape}")
        self._data.qpos[:] = q
        mujoco.mj_kinematics(self.model, self._data)

    def site_pose(self, q: np.ndarray, site: str) -> np.ndarray:
        """Return the pose of a site.

        Args:
            q: (23,) joint angles [rad], order JOINT_NAMES.
            site: one of `robot_model.SITES`.

        Returns:
            (4, 4) T_base_site, translation in m.

        Raises:
            ModelError: unknown site, or `q` of another shape.
        """
        if site not in self._site:
            raise ModelError(f"unknown site '{site}'; the robot has {', '.join(SITES)}")
        self._place(q)
        return self._pose(self._site[site])

    def _pose(self, site_id: int) -> np.ndarray:
        pose = np.eye(4)
        pose[:3, :3] = self._data.site_xmat[site_id].reshape(3, 3)
        pose[:3, 3] = self._data.site_xpos[site_id]
        return pose

    def fk(self, q: np.ndarray) -> dict[str, np.ndarray]:
        """Return T_base_site (4, 4) of each site, at joint angles `q` (23,) [rad].

        Raises:
            ModelError: `q` has another shape.
        """
        self._place(q)
        return {name: self._pose(site_id) for name, site_id in self._site.items()}

    def site_poses(self, q: np.ndarray, site: str) -> np.ndarray:
        """Return T_base_site (N, 4, 4) at a batch of joint angles `q` (N, 23) [rad].

        Raises:
            ModelError: unknown site, or rows of another length.
        """
        return np.stack([self.site_pose(row, site) for row in q])

    def jacobian(self, q: np.ndarray, site: str) -> np.ndarray:
        """Return the geometric Jacobian of `site` in base_link at joint angles `q` (23,) [rad].

        Returns:
            (6, 23): three rows of linear [m/rad] over three of angular velocity [rad/rad].

        Raises:
            ModelError: unknown site, or `q` of another shape.
        """
        self.site_pose(q, site)
        mujoco.mj_comPos(self.model, self._data)
        mujoco.mj_jacSite(
            self.model, self._data, self._jacobian[:3], self._jacobian[3:], self._site[site]
        )
        return self._jacobian.copy()

    def clearance(self, q: np.ndarray, horizon_m: float = 0.2) -> Clearance:
        """Return how near the arm and palm come to themselves and to the ground at `q` (23,) [rad].

        Distances to itself beyond `horizon_m` are reported as `horizon_m`.

        Raises:
            ModelError: `q` has another shape.
        """
        self._place(q)
        self_m, pair = horizon_m, ("", "")
        for a, b in self._pairs:
            distance = mujoco.mj_geomDistance(self.model, self._data, a, b, horizon_m, None)
            if distance < self_m:
                self_m, pair = distance, (self.model.geom(a).name, self.model.geom(b).name)
        heights = [self._lowest(geom) for geom in self._moving]
        lowest = int(np.argmin(heights))
        return Clearance(
            float(self_m), pair, heights[lowest], self.model.geom(self._moving[lowest]).name
        )

    def _lowest(self, geom: int) -> float:
        """Height [m] of the lowest point of a capsule, cylinder or box, exact for each."""
        size, rotation = self.model.geom_size[geom], self._data.geom_xmat[geom].reshape(3, 3)
        z, down = self._data.geom_xpos[geom][2], np.abs(rotation[2])
        kind = self.model.geom_type[geom]
        if kind == mujoco.mjtGeom.mjGEOM_BOX:
            return float(z - down @ size)
        if kind == mujoco.mjtGeom.mjGEOM_CAPSULE:
            return float(z - down[2] * size[1] - size[0])
        return float(z - down[2] * size[1] - size[0] * np.sqrt(max(0.0, 1.0 - down[2] ** 2)))
