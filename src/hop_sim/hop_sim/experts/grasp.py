"""How the hand takes an object: its shapes, the palm's orientation and the point that grips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from hop_core.embodiment import ARM, load_embodiment
from hop_core.ik import solve_palm
from hop_core.kinematics import Kinematics
from hop_sim.experts.motion import palm_rotation, turn_about

UP = np.array([0.0, 0.0, 1.0])


def stay(_yaw_rad: float) -> float:
    """Return no turn: the object is round."""
    return 0.0


def quarter(yaw_rad: float) -> float:
    """Return the least turn toward a side of an object with four equal sides."""
    return float(yaw_rad - np.pi / 2 * np.round(yaw_rad / (np.pi / 2)))


@dataclass(frozen=True)
class Grasp:
    """One way to take an object.

    Attributes:
        open, closed: (16,) targets of the fingers [rad] before and in the grasp.
        fist: (16,) where the fingers stop each other when they close on air [rad].
        yaw_rad, tilt_rad: of the palm, as `palm_rotation` takes them.
        point_m: (3,) of the palm frame; the object's grip comes here.
        grip_m: (3,) from the object's origin to where it is gripped; x along the fingers, z up. It
            is the middle of where the grasp holds: a policy's hand comes centimetres beside it.
        before_m: at most so far before the grip, along the palm's normal, an approach turns in.
        roll_rad: of the palm about the fingers; at pi/2 its normal is horizontal.
        from_above: whether the hand comes down to where it turns in, open and turned by then: it
            must not sweep the object.
        turn: by what palm and grip turn about the vertical [rad], given the object's yaw, -pi to pi
            from the palm's.
        shaped: least share of the way to `open` at which a hand is near the object.
    """

    open: np.ndarray
    closed: np.ndarray
    fist: np.ndarray
    yaw_rad: float
    tilt_rad: float
    point_m: np.ndarray
    grip_m: np.ndarray
    before_m: float
    roll_rad: float = 0.0
    from_above: bool = False
    turn: Callable[[float], float] = stay
    shaped: float = 0.3

    def turn_with(self, yaw_rad: float) -> float:
        """Return by what palm and grip turn about the vertical for an object at `yaw_rad`."""
        from_palm = yaw_rad - self.yaw_rad
        return self.turn(float(np.arctan2(np.sin(from_palm), np.cos(from_palm))))

    def grip(self, foot_m: np.ndarray, turn_rad: float) -> np.ndarray:
        """Return where an upright object at `foot_m` (3,) is gripped (3,) [m]."""
        return np.asarray(foot_m + turn_about(UP, self.yaw_rad + turn_rad) @ self.grip_m)

    def rotation(self, yaw_rad: float = 0.0, tilt_rad: float = 0.0) -> np.ndarray:
        """Return R_base_palm (3, 3), with these angles added to the palm's."""
        rotation = palm_rotation(self.yaw_rad + yaw_rad, self.tilt_rad + tilt_rad)
        return np.asarray(rotation @ turn_about(UP, self.roll_rad))

    def point(self, q: np.ndarray, kinematics: Kinematics) -> np.ndarray:
        """Return where the gripping point is at joint angles `q` (23,) [rad], (3,) [m]."""
        pose = kinematics.site_pose(q, "palm")
        return np.asarray(pose[:3, 3] + pose[:3, :3] @ self.point_m)

    def reach(
        self,
        point_m: np.ndarray,
        rotation: np.ndarray,
        q: np.ndarray,
        kinematics: Kinematics,
        iterations: int = 20,
    ) -> np.ndarray:
        """Return the arm's angles (7,) [rad] that bring the gripping point to `point_m` (3,).

        The search begins at `q` (23,) and prefers postures near home.
        """
        goal = np.eye(4)
        goal[:3, :3] = rotation
        goal[:3, 3] = point_m - rotation @ self.point_m
        result = solve_palm(
            goal,
            q,
            kinematics,
            iterations=iterations,
            posture=load_embodiment().home[ARM],
            posture_weight=0.02,
        )
        return np.asarray(result.q[ARM])


POWER = Grasp(
    open=np.array([*(0.0, 0.35, 0.35, 0.35) * 3, 1.35, 0.35, 0.0, 0.0]),
    closed=np.array([*(0.0, 1.5, 0.9, 0.8) * 3, 1.38, 0.7, 1.5, 1.2]),
    fist=np.array([*(0.0, 1.36, 0.83, 0.71) * 3, 1.37, 0.65, 1.33, 1.1]),
    yaw_rad=-np.pi / 2,  # fingers toward the robot's right, where the camera sees them
    tilt_rad=np.radians(40.0),  # fingers below the horizontal
    point_m=np.array([0.070, -0.006, 0.015]),
    grip_m=np.array([0.0, 0.0, 0.070]),
    before_m=0.13,
)
"""All fingers around something upright, from above and the side."""

UNSTACK = replace(POWER, grip_m=np.array([0.0, -0.012, 0.025]), turn=quarter)
"""The same around a cube."""

SIDE = replace(
    POWER,
    tilt_rad=np.radians(12.0),
    roll_rad=np.radians(80.0),
    point_m=np.array([0.066, -0.006, 0.022]),
    grip_m=np.array([0.0, 0.010, 0.082]),
    before_m=0.16,
    from_above=True,
)
"""All fingers around something tall and upright, from behind it: nothing is above the palm.

Tilted more, or lower, the ring finger would meet the table.
"""
