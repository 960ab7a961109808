"""Where the cameras stood in what a policy learnt from, and whether one stands there now."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from hop_core.errors import CheckpointError
from hop_core.robot_config import CameraPose
from hop_policy.statics import quaternion_xyzw

MOST_M, MOST_DEG = 0.07, 9.0
"""Within these of a camera that a policy learnt from, another one counts as it: as far as the
jitter of the twin's cameras reaches (4 cm along each axis, 5 degrees about each)."""
_SAME_M, _SAME_DEG = 0.002, 0.2
CAMERA_UNKNOWN = (
    "does not say where the camera stood that it learnt from: whether this one stands there is for "
    "you to know"
)
"""What is told, after its name, of a policy of depth images without cameras."""


def camera_poses(places: Iterable[np.ndarray]) -> tuple[CameraPose, ...]:
    """Returns the poses among `places`, T_base_cam (4, 4) each; one that comes again is left out.

    Poses within 2 mm and 0.2 degrees of one another are the same.
    """
    known: list[CameraPose] = []
    for T_base_cam in places:
        x, y, z, w = quaternion_xyzw(T_base_cam[:3, :3])
        position = tuple(round(float(each), 5) for each in T_base_cam[:3, 3])
        quaternion = tuple(round(each, 7) for each in (w, x, y, z))
        pose = CameraPose(position_m=position, quaternion_wxyz=quaternion)
        if not any(_within(pose, each, _SAME_M, _SAME_DEG) for each in known):
            known.append(pose)
    return tuple(known)


def require_camera(known: Sequence[CameraPose], here: CameraPose, where: str) -> None:
    """Passes if the camera `here` stands where one of `known` did, or if none is known.

    Args:
        known: cameras that the checkpoint `where` learnt from; older ones do not tell them.
        here: the camera that it is to look through, as calibrated.
        where: names the checkpoint.

    Raises:
        CheckpointError: it stands elsewhere.
    """
    if not known or any(_within(here, each, MOST_M, MOST_DEG) for each in known):
        return
    nearest = min(known, key=lambda each: here.apart(each)[0])
    distance_m, angle = here.apart(nearest)
    stood = ", ".join(f"{x:g}" for x in nearest.position_m)
    stands = ", ".join(f"{x:g}" for x in here.position_m)
    raise CheckpointError(
        f"{where} learnt from a camera at ({stood}) m in base_link; here it is at ({stands}) m, "
        f"{100 * distance_m:.1f} cm and {math.degrees(angle):.1f} deg away, where "
        f"{100 * MOST_M:g} cm and {MOST_DEG:g} deg are allowed: move it back, correct camera in "
        "config/robots, or finetune on recordings from where it is"
    )


def _within(one: CameraPose, other: CameraPose, most_m: float, most_deg: float) -> bool:
    distance, angle = one.apart(other)
    return distance <= most_m and math.degrees(angle) <= most_deg
