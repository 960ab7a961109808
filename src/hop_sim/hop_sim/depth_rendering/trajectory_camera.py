"""What a depth policy would have seen along stored trajectories, rendered on demand."""

from __future__ import annotations

import hashlib
from functools import cached_property

import numpy as np

from hop_core.closing import Closing
from hop_core.errors import HopError, TrajectoryError
from hop_drivers.depth import depth_to_mm
from hop_policy.observation import DepthPooling
from hop_sim.camera import DepthCamera, jitter_pose, pose_rng
from hop_sim.depth_rendering.scene import TrajectoryScene
from hop_sim.trajectories.depth.codes import decode, encode
from hop_sim.trajectories.depth.recipe import DepthRecipe
from hop_sim.trajectories.store import TrajectoryStore


def trajectory_seed(seed: int, track: str, attempt: int) -> int:
    """Return what camera pose and noise of a trajectory are drawn from, 64 bits.

    It depends on where the trajectory comes from, not on the store that it lies in.
    """
    digest = hashlib.sha256(f"{seed} {attempt} {track}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


class TrajectoryCamera(Closing):
    """The twin's depth camera before trajectories; belongs to the thread that created it.

    The way of an image is that of lock-step and robot: rendering, stereo noise, whole millimetres
    of the depth topic, crop, pooling, clip. Row k shows the robot at q[k] and the object at
    object_pose[k], without the lag of a live stream.
    """

    def __init__(self, store: TrajectoryStore, recipe: DepthRecipe) -> None:
        """Prepare the transform; the renderer is opened for the first image.

        Raises:
            ConfigError: the crop does not fit into the camera's image.
        """
        self.store, self.recipe = store, recipe
        lens = recipe.camera
        self._pooling = DepthPooling(
            recipe.contract,
            recipe.contract.crop(
                lens.width, lens.height, lens.focal_px, lens.focal_px, *lens.center_px
            ),
        )
        self._object = -1
        self._scene: TrajectoryScene | None = None
        self._camera: DepthCamera | None = None

    def depth(self, number: int) -> np.ndarray:
        """Return what is seen along a trajectory, (T, 60, 60) float32 [m].

        It is a multiple of `codes.STEP_M`: bit-equal to what is stored of it.

        Raises:
            TrajectoryError: there is no such trajectory, or its object has no volume.
            TwinError: no off-screen OpenGL on this machine.
        """
        return decode(self.codes(number))

    def codes(self, number: int) -> np.ndarray:
        """Return the same as codes (T, 60, 60) uint16; errors as in `depth`."""
        if not 0 <= number < len(self.store):
            raise TrajectoryError(
                f"{self.store.address}: has no trajectory {number}; it holds {len(self.store)}, "
                "from 0"
            )
        scene, camera = self._look_at(int(self._column["episodes/object"][number]))
        scene.arrange(
            self._column["scene/table_xyz_yaw"][number], self._column["scene/obstacles"][number]
        )
        seed, T_base_cam = self._drawn(number)
        camera.begin(seed, T_base_cam, self.recipe.noise)
        rows = self.store.frame_rows(number)
        q, poses = self.store.read("frames/q", rows), self.store.read("frames/object_pose", rows)
        size = self.recipe.contract.size_px
        codes = np.empty((len(q), size, size), dtype=np.uint16)
        for k in range(len(q)):
            image_mm = depth_to_mm(camera.render(scene.qpos(q[k], poses[k])))
            codes[k] = encode(self._pooling(image_mm[None])[0])
        return codes

    def T_base_cam(self, number: int) -> np.ndarray:
        """Return the true pose (4, 4) of the optical frame along a trajectory."""
        return self._drawn(number)[1]

    def close(self) -> None:
        """Free the renderer, on the thread that created this."""
        if self._camera is not None:
            self._camera.close()
        self._camera, self._object = None, -1

    @cached_property
    def _column(self) -> dict[str, np.ndarray]:
        names = ("episodes/object", "episodes/track", "episodes/attempt")
        return {
            path: self.store.read(path)
            for path in (*names, "scene/table_xyz_yaw", "scene/obstacles")
        }

    def _drawn(self, number: int) -> tuple[int, np.ndarray]:
        """The seed of a trajectory and the camera's pose in it."""
        recipe = self.recipe
        track = self.store.tracks[self._column["episodes/track"][number]].info.name
        seed = trajectory_seed(recipe.seed, track, int(self._column["episodes/attempt"][number]))
        pose = jitter_pose(
            recipe.camera.T_base_cam,
            pose_rng(seed),
            recipe.position_jitter_m,
            recipe.rotation_jitter_rad,
        )
        pose[:3, 3] += recipe.shift_m
        return seed, pose

    def _look_at(self, number: int) -> tuple[TrajectoryScene, DepthCamera]:
        """The scene of an object and its camera; one renderer is open at a time."""
        if number != self._object or self._scene is None or self._camera is None:
            self.close()
            row = self.store.objects[number]
            try:
                self._scene = TrajectoryScene(self.store.model(row).surface)
            except HopError as error:
                raise TrajectoryError(
                    f"{self.store.address}: object '{row.name}': {error}"
                ) from error
            self._camera = DepthCamera(self._scene.model, self.recipe.camera)
            self._object = number
        return self._scene, self._camera
