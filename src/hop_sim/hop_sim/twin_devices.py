"""The twin's emulated devices over one world, and the faults that can be injected into them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hop_core.embodiment import Embodiment
from hop_core.errors import TwinError
from hop_core.robot_config import HandConfig, RobotConfig
from hop_sim import control_schema as schema
from hop_sim.allegro_emulator import AllegroEmulator
from hop_sim.control_box import ControlBox
from hop_sim.hand_firmware import HandFirmware
from hop_sim.reactor import Reactor
from hop_sim.world import World
from hop_sim.xarm_emulator import XarmEmulator

_NS_PER_S = 1_000_000_000


def _port_of(hand: HandConfig) -> int:
    """Return the port of the hand's CAN server.

    Raises:
        TwinError: the hand is not reached by a server.
    """
    if hand.port is None:
        raise TwinError("the twin's hand is on socketcand: set hand.interface, host and port so")
    return hand.port


class TwinDevices:
    """Control box, hand and camera plug.

    Attributes:
        box, firmware: the state machines of arm and hand.
        camera_connected: False while the camera is unplugged.
    """

    def __init__(
        self,
        reactor: Reactor,
        world: World,
        config: RobotConfig,
        embodiment: Embodiment,
        address: str,
    ) -> None:
        """Start all servers on `address`.

        Raises:
            TwinError: a port is in use; nothing is left listening.
        """
        self._world = world
        self._period_s = embodiment.rates.hand_period_s
        self._set_ms = round(self._period_s * 1000)
        self.box = ControlBox(world, embodiment)
        self.firmware = HandFirmware(world, embodiment, config.hand.device_id)
        self.camera_connected = True
        self._arm = XarmEmulator(reactor, self.box, address, config.arm.control_port)
        try:
            self._hand = AllegroEmulator(reactor, self.firmware, address, _port_of(config.hand))
        except BaseException:
            self._arm.close()
            raise

    def step(self) -> None:
        """Advance by one set of the hand: commands in, 3 ms of physics, frames and reports out."""
        self._hand.poll()
        self.box.step(self._period_s)
        self._world.step(self._set_ms)
        self._hand.tick()
        self._arm.tick(time.monotonic_ns())

    def inject(self, fault: Any) -> None:
        """Make a device fail as `control_schema.Fault` says."""
        actions: dict[type, Callable[[Any], None]] = {
            schema.ArmError: lambda f: self.box.raise_error(f.code),
            schema.ArmEstop: lambda f: self.box.press_estop(True),
            schema.ArmDrop: lambda f: self._arm.drop_connections(),
            schema.ArmStall: lambda f: self._arm.stall(
                round(f.duration_s * _NS_PER_S), time.monotonic_ns()
            ),
            schema.ArmMute: lambda f: setattr(self._arm, "reports_muted", True),
            schema.HandSilent: lambda f: setattr(self.firmware, "silent", True),
            schema.HandHot: self._overheat,
            schema.HandServoOff: lambda f: self.firmware.servo_off(),
            schema.HandDrop: lambda f: self._hand.drop_connections(),
            schema.CameraUnplug: lambda f: setattr(self, "camera_connected", False),
        }
        actions[type(fault)](fault)

    def _overheat(self, fault: schema.HandHot) -> None:
        self.firmware.temperature_c = fault.temperature_c
        self.firmware.over_temperature = True

    def clear(self) -> None:
        """End all injected faults; what a device has latched stays until its driver clears it."""
        self._arm.clear_faults()
        self._hand.clear_faults()
        self.camera_connected = True

    @property
    def clients(self) -> int:
        """Connections to the arm and the hand."""
        return self._arm.clients + self._hand.clients

    def describe(self) -> dict[str, Any]:
        """Return the devices' state for the control channel."""
        box, firmware = self.box, self.firmware
        return {
            "arm": {
                "mode": int(box.mode),
                "state": int(box.state),
                "error": box.error,
                "warning": box.warning,
                "enabled": box.enabled,
                "clients": self._arm.clients,
            },
            "hand": {
                "servo": self._world.hand_servo,
                "temperature_c": firmware.temperature_c,
                "silent": firmware.silent,
                "clients": self._hand.clients,
            },
            "camera": {"connected": self.camera_connected},
        }

    def close(self) -> None:
        """Disconnect everyone and stop listening."""
        self._arm.close()
        self._hand.close()
