"""How the expert of Grasp & Lift takes each of its four objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hop_sim.experts.grasp import POWER, SIDE, Grasp

HANDLE_CLEAR_RAD = np.radians(50.0)
"""The fingers go to the rim at least so far from the handle."""


def beside_handle(yaw_rad: float) -> float:
    """Return the least turn that keeps the fingers off a handle at `yaw_rad` from the palm's."""
    if abs(yaw_rad) >= HANDLE_CLEAR_RAD:
        return 0.0
    return float(yaw_rad - np.copysign(HANDLE_CLEAR_RAD, yaw_rad))


AROUND = replace(SIDE, grip_m=np.array([0.010, 0.010, 0.106]))
"""All fingers around something tall, high up: above most of what is lower."""

OVER = replace(
    POWER,
    yaw_rad=np.radians(-60.0),
    tilt_rad=np.radians(20.0),
    point_m=np.array([0.070, -0.006, 0.040]),
    grip_m=np.array([0.0, -0.012, 0.045]),
    before_m=0.09,
    from_above=True,
)
"""All fingers around something low, from above: what is tall is in the palm's way."""

RIM = Grasp(
    open=np.array([*(0.0, 0.95, 0.45, 0.70) * 3, 1.30, 0.75, 0.0, 0.15]),
    closed=np.array([*(0.0, 1.55, 1.00, 0.60) * 3, 1.39, 0.46, 0.95, 0.20]),
    fist=np.array([*(0.0, 1.36, 0.90, 0.57) * 3, 1.35, 0.53, 0.66, 0.14]),
    yaw_rad=np.radians(-60.0),
    tilt_rad=np.radians(8.0),
    point_m=np.array([0.098, 0.003, -0.030]),
    grip_m=np.array([0.061, -0.010, 0.086]),
    before_m=0.07,
    from_above=True,
    turn=beside_handle,
)
"""The wall between the fingers outside and the thumb inside, from above."""

EDGE = Grasp(
    open=np.array([*(0.0, 1.30, 0.25, 0.20) * 3, 1.39, 0.30, -0.15, 0.0]),
    closed=RIM.closed,
    fist=np.array([*(0.0, 1.37, 0.89, 0.50) * 3, 1.37, 0.47, 0.67, 0.12]),
    yaw_rad=np.radians(-115.0),  # from where the camera is, and a little from the robot
    tilt_rad=np.radians(88.0),
    point_m=np.array([0.100, 0.003, -0.030]),
    grip_m=np.array([0.040, 0.0, 0.135]),
    before_m=0.14,
    from_above=True,
    shaped=0.95,
)
"""The fingers under a board, the thumb on it, from the side; outstretched they meet the table."""
