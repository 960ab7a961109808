"""What a policy sees of a lock-step twin: the same transforms as on the live graph."""

from __future__ import annotations

import numpy as np

from hop_core.robot_config import CameraConfig
from hop_policy.contract import PolicyContract
from hop_policy.observation import CameraView, JointScaling, Observation
from hop_policy.streams import ObservationBuilder
from hop_sim.lockstep import LockStep
from hop_sim.object_cloud import canonical_cloud, posed_cloud


def camera_view(camera: CameraConfig) -> CameraView:
    """Return size and intrinsics of `camera` as its camera_info would say."""
    return CameraView(
        camera.width, camera.height, camera.focal_px, camera.focal_px, *camera.center_px
    )


class LockStepObserver:
    """Turns the state of a lock-step twin into the observation of a policy with `contract`."""

    def __init__(self, contract: PolicyContract, camera: CameraConfig) -> None:
        """Prepare the transform."""
        self.contract = contract
        self._scaling = JointScaling(contract)
        self._builder = (
            ObservationBuilder(contract, camera_view(camera))
            if contract.vision == "depth"
            else None
        )

    def observe(self, twin: LockStep) -> Observation:
        """Return the observation of the twin's present tick: the camera's depth or the true cloud.

        Raises:
            AlignmentError: a stream has no sample that is fresh enough.
        """
        if self._builder is not None:
            return self._builder.observe(twin.observe())
        name = twin.monitor.object_name
        cloud = canonical_cloud(twin.task.objects[name], self.contract.point_cloud.points)
        points = posed_cloud(cloud, twin.monitor.object_pose(twin.world.data))
        return Observation(self._scaling.scale(twin.joints()[None]), np.asarray(points[None]))
