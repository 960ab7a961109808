"""Episodes of the twin: what a seed decides, and the task's score of the episode under way."""

from __future__ import annotations

from typing import Any

import numpy as np

from hop_core.robot_config import CameraConfig, TwinConfig
from hop_sim.camera import episode_pose
from hop_sim.control_schema import Reset, parse_reset
from hop_sim.tasks.task import Task
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
        self, world: World, task: Task, camera: CameraConfig, twin: TwinConfig, seed: int
    ) -> None:
        """Begin the first episode, the robot at its start pose."""
        self._world = world
        self._task = task
        self._camera = camera
        self._twin = twin
        self.number = 0
        self.begin(parse_reset({"seed": seed, "teleport_robot": True}))

    def begin(self, request: Reset) -> dict[str, Any]:
        """Begin an episode; returns what was drawn.

        Raises:
            TwinError: the task has no object of the name asked for.
        """
        start = self._task.sample(np.random.default_rng(request.seed))
        if request.object is not None:
            start = self._task.choose(start, request.object)
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

    def scene(self) -> dict[str, Any]:
        """Return which object is in play, and the true poses of all that are, and of the camera."""
        view = self.monitor.view(self._world.data)
        return {
            "object": view.object_name,
            "T_base_object": view.T_base_object.tolist(),
            "poses": {name: pose.tolist() for name, pose in view.poses.items()},
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
            "met_s": float(monitor.score.met_s[0]),
            "rise_m": monitor.rise_m(self._world.data),
            "episode_time_s": monitor.time_s,
            "timed_out": bool(monitor.timed_out),
        }
