"""How fast, how near and how stale a motion may be.

One file for supervisor, drivers, experts and retargeting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from hop_core.config import Config, config_path, load_config
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES, Embodiment, load_embodiment
from hop_core.errors import ConfigError
from hop_core.limiter import MotionLimits

Component = Literal["xarm", "allegro", "zed"]


class MotionConfig(Config):
    """Bounds of every commanded motion; device limits that are lower win.

    Attributes:
        arm_velocity_rad_s, hand_velocity_rad_s: largest joint speeds.
        arm_acceleration_rad_s2, hand_acceleration_rad_s2: largest joint accelerations.
        tcp_speed_m_s: largest speed of the palm.
        arm_margin_rad, hand_margin_rad: distance kept from the device's position limits.
        first_target_arm_rad, first_target_hand_rad: how far a source's first target may be from the
            present command.
        home_speed: share of the speeds above used for the way home.
    """

    arm_velocity_rad_s: float = Field(gt=0.0)
    hand_velocity_rad_s: float = Field(gt=0.0)
    arm_acceleration_rad_s2: float = Field(gt=0.0)
    hand_acceleration_rad_s2: float = Field(gt=0.0)
    tcp_speed_m_s: float = Field(gt=0.0)
    arm_margin_rad: float = Field(ge=0.0)
    hand_margin_rad: float = Field(ge=0.0)
    first_target_arm_rad: float = Field(gt=0.0)
    first_target_hand_rad: float = Field(gt=0.0)
    home_speed: float = Field(gt=0.0, le=1.0)


class DistanceConfig(Config):
    """Distances kept by the arm and the palm [m]: from the table plane and from the arm itself."""

    table_m: float = Field(ge=0.0)
    self_m: float = Field(ge=0.0)


class WatchdogConfig(Config):
    """Ages after which something is done [s].

    Attributes:
        target_stale_s: oldest target that is followed; then HOLD.
        hold_disarm_s: longest HOLD; then disarm.
        feedback_hold_s, feedback_fault_s: joint states older than this: HOLD, then FAULT.
        fresh_before_arming_s: every needed stream must have been fresh for this long.
        arming_s: longest arming; then FAULT.
        gap_restart_s: a control loop that slept longer starts again from the measured pose.
        tracking_error_rad: largest distance between the arm's command and measurement; then FAULT.
        clock_step_s: largest step between ROS time and the monotonic clock; then FAULT.
    """

    target_stale_s: float = Field(gt=0.0)
    hold_disarm_s: float = Field(gt=0.0)
    feedback_hold_s: float = Field(gt=0.0)
    feedback_fault_s: float = Field(gt=0.0)
    fresh_before_arming_s: float = Field(ge=0.0)
    arming_s: float = Field(gt=0.0)
    gap_restart_s: float = Field(gt=0.0)
    tracking_error_rad: float = Field(gt=0.0)
    clock_step_s: float = Field(gt=0.0)

    @model_validator(mode="after")
    def _holds_before_it_faults(self) -> WatchdogConfig:
        if self.feedback_hold_s >= self.feedback_fault_s:
            raise ValueError(
                f"feedback_hold_s {self.feedback_hold_s:g} must be below feedback_fault_s "
                f"{self.feedback_fault_s:g}"
            )
        return self


class SafetyConfig(Config):
    """All safety figures.

    Attributes:
        motion, distance, watchdog: see there.
        required: components that must be there before arming, and whose fault is the robot's.
        incident_s: length of the history that a FAULT writes down [s].
    """

    motion: MotionConfig
    distance: DistanceConfig
    watchdog: WatchdogConfig
    required: tuple[Component, ...] = ("xarm", "allegro", "zed")
    incident_s: float = Field(30.0, gt=0.0)

    @model_validator(mode="after")
    def _robot_is_required(self) -> SafetyConfig:
        if not {"xarm", "allegro"} <= set(self.required):
            raise ValueError("required must name xarm and allegro: what moves is always watched")
        return self

    def motion_limits(self, embodiment: Embodiment, tcp: bool = True) -> MotionLimits:
        """Return the bounds of the 23 joints for the motion limiter, never above the device's own.

        Args:
            embodiment: device limits.
            tcp: whether to bound the palm's speed too (the limiter then needs kinematics).
        """
        arm, hand = len(ARM_JOINTS), len(HAND_JOINTS)
        motion = self.motion
        velocity = np.repeat([motion.arm_velocity_rad_s, motion.hand_velocity_rad_s], [arm, hand])
        acceleration = np.repeat(
            [motion.arm_acceleration_rad_s2, motion.hand_acceleration_rad_s2], [arm, hand]
        )
        return MotionLimits(
            np.minimum(velocity, embodiment.velocity_limit),
            np.minimum(acceleration, embodiment.acceleration_limit),
            motion.tcp_speed_m_s if tcp else None,
            *self.position_limits(embodiment),
        )

    def position_limits(self, embodiment: Embodiment) -> tuple[np.ndarray, np.ndarray]:
        """Return the (23,) lower and upper position limits [rad] with their margins.

        Raises:
            ConfigError: a margin leaves a joint no range.
        """
        arm, hand = len(ARM_JOINTS), len(HAND_JOINTS)
        margin = np.repeat([self.motion.arm_margin_rad, self.motion.hand_margin_rad], [arm, hand])
        lower, upper = embodiment.lower + margin, embodiment.upper - margin
        gone = np.flatnonzero(lower >= upper)
        if gone.size:
            joint, of = JOINT_NAMES[gone[0]], "arm" if gone[0] < arm else "hand"
            raise ConfigError(
                f"safety.yaml: {of}_margin_rad {margin[gone[0]]:g} leaves {joint} no range: the "
                f"device's is {embodiment.lower[gone[0]]:g} to {embodiment.upper[gone[0]]:g} rad"
            )
        return lower, upper


def load_safety(config_dir: Path | str | None = None) -> SafetyConfig:
    """Return `safety.yaml`.

    Raises:
        ConfigError: it is missing, breaks a rule, or its margins leave a joint no range.
    """
    safety = load_config(config_path("safety.yaml", config_dir), SafetyConfig)
    safety.position_limits(load_embodiment())
    return safety
