"""One trajectory of the robot: its frames, how good it is, and the scene it was made in.

The dataclasses declare columns of the store: a field more is a column more, and another version of
the format (`commit.VERSION`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np

from hop_core.embodiment import JOINT_NAMES
from hop_sim.trajectories.columns import Cells, columns_of

Kept = Literal["contact", "any"]
"""Reading of the paper's filter: metrics/kept_contact or metrics/kept_any."""
OBSTACLES = 4
"""Rows for obstacle boxes in every scene; unused ones are NaN."""
UNKNOWN_SEED = -1
_JOINTS = (len(JOINT_NAMES),)
_BOX = 7


@dataclass(frozen=True)
class Frames:
    """The T frames of a trajectory, a row per step k at the store's rate; joints as JOINT_NAMES.

    The label of the observation after step k - 1 is the target of step k. `pairs` knows that; do
    not pair rows of equal number.
    """

    q: Annotated[np.ndarray, Cells("f4", "rad", "simulated posture after the step", _JOINTS)]
    q_raw: Annotated[np.ndarray, Cells("f4", "rad", "target of the step as it was solved", _JOINTS)]
    q_target: Annotated[np.ndarray, Cells("f4", "rad", "target of the step as executed", _JOINTS)]
    object_pose: Annotated[
        np.ndarray,
        Cells(
            "f4", "m, 1", "object in base_link after the step: x, y, z, quaternion w, x, y, z", (7,)
        ),
    ]
    keypoint_error_m: Annotated[
        np.ndarray,
        Cells("f4", "m", "mean distance of the robot's keypoints from the hand's after the step"),
    ]
    contact: Annotated[np.ndarray, Cells("?", "1", "whether the human hand touches the object")]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.q)


@dataclass(frozen=True)
class TrajectoryMetrics:
    """How good a trajectory is; figures that are not known are NaN.

    Errors are the keypoint errors of the frames: those of the simulated posture, never of the
    target. Contact frames are those in which the human hand touches the object.
    """

    kept_any: Annotated[
        bool, Cells("?", "1", "the error is below 3 cm in some frame (the paper's words)")
    ]
    kept_contact: Annotated[bool, Cells("?", "1", "it is below 3 cm in 80 % of the contact frames")]
    min_error_m: Annotated[float, Cells("f4", "m", "smallest error of the track's frames")]
    median_contact_error_m: Annotated[
        float, Cells("f4", "m", "median error over the contact frames")
    ]
    share_below_3cm_on_contact: Annotated[
        float, Cells("f4", "1", "contact frames with less than 3 cm")
    ]
    contact_share: Annotated[float, Cells("f4", "1", "frames with contact")]
    limited_share: Annotated[float, Cells("f4", "1", "steps in which the motion limiter acted")]
    max_penetration_m: Annotated[
        float, Cells("f4", "m", "deepest overlap of the hand with object or table")
    ]
    hand_saturation_share: Annotated[
        float, Cells("f4", "1", "hand torques at their cap, over all steps")
    ]
    mean_palm_angle_rad: Annotated[
        float, Cells("f4", "rad", "angle of the palm normals, contact frames")
    ]
    median_tip_distance_error_m: Annotated[
        float,
        Cells(
            "f4",
            "m",
            "tip-object distance less the human's, absolute, over fingers and contact frames",
        ),
    ]
    rms_jerk_rad_s3: Annotated[float, Cells("f4", "rad/s^3", "jerk of the executed targets")]
    mean_lead_rad: Annotated[
        float, Cells("f4", "rad", "distance of the solved target from the posture")
    ]

    @classmethod
    def only(cls, **known: Any) -> TrajectoryMetrics:
        """Return metrics of which just `known` are known: other flags false, figures NaN."""
        return cls(**{**_nothing_known(cls), **known})


@dataclass(frozen=True)
class Scene:
    """What was randomised in the scene of an attempt; NaN where not known."""

    table_xyz_yaw: Annotated[
        np.ndarray,
        Cells("f4", "m, rad", "T_base_table: the table frame in base_link as x, y, z, yaw", (4,)),
    ]
    friction: Annotated[float, Cells("f4", "1", "sliding friction of everything")]
    gain_scale: Annotated[float, Cells("f4", "1", "factor on the gains of arm and hand")]
    obstacles: Annotated[
        np.ndarray,
        Cells(
            "f4",
            "m, rad",
            "boxes in base_link: centre x, y, z, half sizes x, y, z, yaw; NaN: none",
            (OBSTACLES, _BOX),
        ),
    ]

    @classmethod
    def unknown(cls) -> Scene:
        """Return a scene of which nothing is known."""
        return cls(**_nothing_known(cls))


@dataclass(frozen=True)
class Trajectory:
    """One attempt that was kept.

    Attributes:
        attempt: its number among the attempts at its track, from 0.
        seed: what its randomness was drawn from; `UNKNOWN_SEED` if nobody knows.
        object_name: the object that it shows, a key of `TrackResult.objects`.
        frames, metrics, scene: see there.
    """

    attempt: int
    seed: int
    object_name: str
    frames: Frames
    metrics: TrajectoryMetrics
    scene: Scene


def _nothing_known(cls: Any) -> dict[str, Any]:
    """A value for each field of `cls`: NaN, of its shape, and false for flags."""
    return {
        each.name: False if each.dtype.kind == "b" else np.full(each.shape, np.nan)[()]
        for each in columns_of(cls, "")
    }
