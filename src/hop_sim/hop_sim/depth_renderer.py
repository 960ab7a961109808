"""Noise-free depth images of a MuJoCo model from a pinhole camera at any pose."""

from __future__ import annotations

import mujoco
import numpy as np

from hop_sim.offscreen import Offscreen

_MAX_GEOMS = 400


class DepthRenderer:
    """Renders on the thread that created it: an OpenGL context belongs to one thread."""

    def __init__(self, model: mujoco.MjModel, width: int, height: int, focal_px: float) -> None:
        """Open an off-screen context.

        Args:
            model: what is rendered; its off-screen buffer takes this size, without multisampling.
            width: of the image [px].
            height: of the image [px].
            focal_px: focal length in x and y [px]; the principal point is the image's centre.

        Raises:
            TwinError: no off-screen OpenGL on this machine.
        """
        visual = model.vis
        visual.global_.offwidth, visual.global_.offheight = width, height
        visual.quality.offsamples = 0  # multisampling blurs depth across edges
        visual.quality.shadowsize = 0
        self.model = model
        self._data = mujoco.MjData(model)
        self._near = np.float32(visual.map.znear * model.stat.extent)
        self._far = np.float32(visual.map.zfar * model.stat.extent)
        self._half_height = height / (2.0 * focal_px) * float(self._near)
        self._pixels = np.empty((height, width), dtype=np.float32)
        self._buffer = Offscreen(model, width, height)
        self._scene = mujoco.MjvScene(model, maxgeom=_MAX_GEOMS)
        self._scene.flags[:] = 0  # depth needs neither shadows nor haze, sky or textures
        self._scene.flags[mujoco.mjtRndFlag.mjRND_CULL_FACE] = 1
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()

    def render(self, qpos: np.ndarray, T_base_cam: np.ndarray) -> np.ndarray:
        """Return depth along the optical axis, (H, W) float32 [m]; the far plane where nothing is.

        Args:
            qpos: (nq,) of the model.
            T_base_cam: (4, 4) optical frame (z forward, x right, y down) in the world.

        Raises:
            TwinError: the renderer gave no image.
        """
        self._place(qpos, T_base_cam)
        self._buffer.depth(self._scene, self._pixels)
        return self._metres(self._pixels[::-1])

    def render_color(self, qpos: np.ndarray, T_base_cam: np.ndarray) -> np.ndarray:
        """Return the image (H, W, 3) uint8, RGB; arguments as in `render`. Slower than depth."""
        self._place(qpos, T_base_cam)
        return self._buffer.color(self._scene)[::-1]

    def _place(self, qpos: np.ndarray, T_base_cam: np.ndarray) -> None:
        data = self._data
        data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, data)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            self.model, data, self._option, None, self._camera, everything, self._scene
        )
        for camera in self._scene.camera:
            camera.pos = T_base_cam[:3, 3]
            camera.forward = T_base_cam[:3, 2]
            camera.up = -T_base_cam[:3, 1]
            camera.frustum_center = camera.frustum_width = 0.0
            camera.frustum_bottom, camera.frustum_top = -self._half_height, self._half_height
            camera.frustum_near, camera.frustum_far = float(self._near), float(self._far)

    def _metres(self, reading: np.ndarray) -> np.ndarray:
        """Undo the perspective division of a reading: 1 at the near plane, 0 at the far one."""
        near, far = self._near, self._far
        return near * far / (near + reading * (far - near))

    def close(self) -> None:
        """Free the context, on the thread that opened it."""
        self._buffer.close()
