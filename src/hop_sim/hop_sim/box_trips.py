"""The control box's own trips: linear speed in servo mode, a blocked arm, the safety boundary."""

from __future__ import annotations

import numpy as np

from hop_sim.world import World
from hop_sim.xarm_codes import Fault, Mode
from hop_sim.xarm_reports import Settings, tcp_pose

# servo_j trips at this times a factor, 1.2 by default. Source: vendor's answer, SDK issue 94.
TCP_LIMIT_M_S = 1.0
_REACH_M = 1.3  # no point of arm and tool is farther from a joint's axis
# Time at the torque limit, by collision sensitivity 0..5; ours.
_BLOCKED_S = (np.inf, 0.3, 0.2, 0.1, 0.07, 0.05)
_BLOCKED_SHARE = 0.98


class Trips:
    """Watches the arm once per step."""

    def __init__(self, world: World) -> None:
        """Watch `world`."""
        self._world = world
        self._blocked_s = 0.0
        self.tcp_offset_m = np.zeros(3)
        self.speed_factor = 1.2

    def reset(self) -> None:
        """Forget how long the arm has been blocked."""
        self._blocked_s = 0.0

    def tcp_speed_m_s(self) -> float:
        """Return the commanded linear speed of the TCP [m/s]."""
        return self._world.tcp_speed_m_s(self.tcp_offset_m)

    def check(self, mode: int, settings: Settings, dt_s: float) -> Fault | None:
        """Return the error that the arm's present motion causes, None if all is well."""
        world = self._world
        limit = self.speed_factor * TCP_LIMIT_M_S
        at_most = _REACH_M * float(np.abs(world.arm_reference_speed).sum())
        if mode == Mode.SERVO and at_most > limit and self.tcp_speed_m_s() > limit:
            return Fault.LINEAR_SPEED
        blocked = bool(
            (np.abs(world.arm_servo_torque) > _BLOCKED_SHARE * world.arm_torque_limit).any()
        )
        self._blocked_s = self._blocked_s + dt_s if blocked else 0.0
        if self._blocked_s > _BLOCKED_S[settings.collision_sensitivity]:
            return Fault.COLLISION
        if settings.reduced and settings.fence and self._outside(settings):
            return Fault.SAFETY_BOUNDARY
        return None

    def _outside(self, settings: Settings) -> bool:
        x_max, x_min, y_max, y_min, z_max, z_min = settings.reduced_box_mm
        x, y, z = tcp_pose(self._world.flange_pose, settings.tcp_offset)[:3]
        return not (x_min <= x <= x_max and y_min <= y <= y_max and z_min <= z <= z_max)
