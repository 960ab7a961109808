"""One driver a device, on this machine."""

from __future__ import annotations

from hop_core.robot_config import ArmConfig, HandConfig
from hop_core.single_instance import SingleInstance


def lock_arm(config: ArmConfig) -> SingleInstance:
    """Return what keeps other drivers from the arm.

    Raises:
        DeviceError: one has it.
    """
    where = f"{config.address}:{config.control_port}"
    return SingleInstance(f"xarm/{where}", f"a driver of the arm at {where}")


def lock_hand(config: HandConfig) -> SingleInstance:
    """Return what keeps other drivers from the hand.

    Raises:
        DeviceError: one has it.
    """
    where = f"{config.interface} {config.channel} {config.host or ''}:{config.port or ''}"
    return SingleInstance(f"allegro/{where}", f"a driver of the hand on {where}")
