"""Episodes of the twin: what a seed decides, and the task's score of the episode under way."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from hop_core.errors import TwinError
from hop_core.robot_config import CameraConfig, TwinConfig
from hop_sim.camera import episode_pose
from hop_sim.control_schema import Reset
from hop_sim.tasks.grasp_lift import GraspLift
from hop_sim.world import World


class TwinEpisode:
    """The episode under way in `world`.

    Attributes:
        number: counts episodes.
        seed: of this one.
        noise_scale: of the depth camera.
        T_base_cam: (4, 4) true pose of the camera.
        monitor: the task's score keeper.
    """

    def __init__(
        self, world: World, task: GraspLift, camera: CameraConfig, twin: TwinConfig, seed: int
    ) -> None:
        """Begin the first episode, the robot at its start pose."""
        self._world = world
        self._task = task
        self._camera = camera
        self._twin = twin
        self.number = 0
        self.begin(Reset(seed=seed, teleport_robot=True))

    def begin(self, request: Reset) -> dict[str, Any]:
        """Begin an episode; returns what was drawn.

        Raises:
            TwinError: the task has no object of the name asked for.
        """
        start = self._task.sample(np.random.default_rng(request.seed))
        if request.object is not None:
            index = np.array([self._object_index(request.object)])
            start = dataclasses.replace(start, object_index=index)
        if request.teleport_robot:
            self._world.reset(start.q[0], self._task.arrange(start))
        else:
            self._world.rearrange(self._task.arrange(start))
        self.monitor = self._task.monitor(self._world.model, start)
        self.number += 1
        self.seed = request.seed
        scale = request.noise_scale
        self.noise_scale = self._twin.depth_noise_scale if scale is None else scale
        self.T_base_cam = episode_pose(
            self._camera, self._twin, request.seed, request.camera_jitter, request.camera_shift_m
        )
        return {
            "episode": self.number,
            "seed": self.seed,
            "start_q": start.q[0].tolist(),
            **self.scene(),
        }

    def _object_index(self, name: str) -> int:
        names = list(self._task.objects)
        if name not in names:
            raise TwinError(f"the task has no object '{name}'; objects: {', '.join(names)}")
        return names.index(name)

    def scene(self) -> dict[str, Any]:
        """Return which object is in play, and the true poses of object and camera."""
        return {
            "object": self.monitor.object_name,
            "T_base_object": self.monitor.object_pose(self._world.data).tolist(),
            "T_base_cam": self.T_base_cam.tolist(),
        }

    def step(self, dt_s: float) -> None:
        """Advance the score by `dt_s`."""
        self.monitor.update(self._world.data, dt_s)

    def record(self) -> dict[str, Any]:
        """Return the task's record of this episode so far."""
        monitor = self.monitor
        return {
            "episode": self.number,
            "seed": self.seed,
            "success": bool(monitor.score.success[0]),
            "up_s": float(monitor.score.up_s[0]),
            "rise_m": float(monitor.read(self._world.data).rise_m[0]),
            "episode_time_s": monitor.time_s,
            "timed_out": bool(monitor.timed_out),
        }
