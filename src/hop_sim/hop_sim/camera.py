"""The simulated depth camera of twin and lock-step mode: rendering, stereo noise, pose jitter."""

from __future__ import annotations

import mujoco
import numpy as np

from hop_core.robot_config import CameraConfig, TwinConfig
from hop_sim.depth_renderer import DepthRenderer
from hop_sim.stereo_noise import StereoLens, stereo_noise

_POSE_STREAM, _NOISE_STREAM = (
    1,
    2,
)  # of an episode's seed; the task's start state uses the seed itself


def jitter_pose(
    T_base_cam: np.ndarray,
    rng: np.random.Generator,
    position_m: float,
    rotation_rad: float,
) -> np.ndarray:
    """Return the pose (4, 4) moved by a uniform jitter.

    Args:
        T_base_cam: (4, 4) nominal pose of the optical frame.
        rng: source of the jitter.
        position_m: half-width of the position's jitter on each axis of base_link [m].
        rotation_rad: half-width of the rotation vector's jitter on each axis of the camera [rad].
    """
    offset = rng.uniform(-position_m, position_m, 3)
    vector = rng.uniform(-rotation_rad, rotation_rad, 3)
    quaternion, rotation = np.empty(4), np.empty(9)
    angle = float(np.linalg.norm(vector))
    axis = vector / angle if angle > 0.0 else np.array([1.0, 0.0, 0.0])
    mujoco.mju_axisAngle2Quat(quaternion, axis, angle)
    mujoco.mju_quat2Mat(rotation, quaternion)
    pose = T_base_cam.copy()
    pose[:3, 3] += offset
    pose[:3, :3] = T_base_cam[:3, :3] @ rotation.reshape(3, 3)
    return pose


def episode_pose(
    camera: CameraConfig,
    twin: TwinConfig,
    seed: int,
    jitter: float = 1.0,
    shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> np.ndarray:
    """Return the camera's true pose (4, 4) in the episode of `seed`.

    Args:
        camera: nominal pose.
        twin: half-widths of the jitter.
        seed: of the episode; the same in the twin and in lock-step mode.
        jitter: scale on the half-widths.
        shift_m: added to the position, in base_link.
    """
    rng = pose_rng(seed)
    position, rotation = twin.camera_position_jitter_m, twin.camera_rotation_jitter_rad
    pose = jitter_pose(camera.T_base_cam, rng, jitter * position, jitter * rotation)
    pose[:3, 3] += shift_m
    return pose


def pose_rng(seed: int) -> np.random.Generator:
    """Return the source of the camera's pose in an episode."""
    return np.random.default_rng([seed, _POSE_STREAM])


def noise_rng(seed: int) -> np.random.Generator:
    """Return the source of an episode's stereo noise; frame after frame draws from it."""
    return np.random.Generator(np.random.SFC64([seed, _NOISE_STREAM]))


def lens_of(camera: CameraConfig) -> StereoLens:
    """Return what the stereo noise needs of `camera`."""
    return StereoLens(camera.focal_px, camera.near_m, camera.far_m)


class DepthCamera:
    """Depth frames of one episode after another; belongs to the thread that created it."""

    def __init__(
        self, model: mujoco.MjModel, camera: CameraConfig, seed: int = 0, noise_scale: float = 1.0
    ) -> None:
        """Open a renderer.

        Raises:
            TwinError: no off-screen OpenGL on this machine.
        """
        self._lens = lens_of(camera)
        self._renderer = DepthRenderer(model, camera.width, camera.height, camera.focal_px)
        self._nominal = camera.T_base_cam
        self.begin(seed, self._nominal, noise_scale)

    def begin(
        self, seed: int, T_base_cam: np.ndarray | None = None, noise_scale: float = 1.0
    ) -> None:
        """Begin an episode: noise from `seed`, the true pose (4, 4), and the noise's scale."""
        self._rng = noise_rng(seed)
        self.T_base_cam = self._nominal if T_base_cam is None else T_base_cam
        self.noise_scale = noise_scale

    def render(self, qpos: np.ndarray) -> np.ndarray:
        """Return the next frame at `qpos` (nq,): (H, W) float32 [m], codes as in `stereo_noise`."""
        true = self._renderer.render(qpos, self.T_base_cam)
        return stereo_noise(true, self._rng, self._lens, self.noise_scale)

    def close(self) -> None:
        """Free the renderer, on the thread that opened it."""
        self._renderer.close()
