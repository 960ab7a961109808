"""The Allegro hand's firmware as a state machine over the simulated hand: frames in, frames out.

Source: Wonik Allegro Hand V4 CAN protocol. Like the real hand it has no watchdog: the last torques
act until others come or the servo goes off.
"""

from __future__ import annotations

import numpy as np

from hop_core.embodiment import Embodiment
from hop_core.errors import DeviceError
from hop_drivers import allegro_can as can
from hop_sim.world import World

SERIAL = "SAH040TW"
_AMBIENT_C = 35


class HandFirmware:
    """Answers requests, takes torques, and tells which position frames are due.

    Attributes:
        device_id: CAN device 0..3; frames for another are ignored.
        temperature_c: what INFO and temperature frames report [degC].
        over_temperature: status bit of INFO.
        silent: no frame passes, to or from it, as with a broken cable: the last torques act on.
        side: handedness in INFO.
    """

    def __init__(self, world: World, embodiment: Embodiment, device_id: int = 0) -> None:
        """Power up: servo off, no periodic frames."""
        self._world = world
        self._set_ms = round(embodiment.rates.hand_period_s * 1000)
        self._counts_per_unit = embodiment.hand.counts_per_unit
        self._counts = np.zeros(can.JOINTS)
        self._position_ms = 0
        self._temperature_ms = 0
        self._since_position_ms = 0
        self._since_temperature_ms = 0
        self.device_id = device_id
        self.temperature_c = _AMBIENT_C
        self.over_temperature = False
        self.silent = False
        self.side = can.Side.RIGHT

    def take(self, frame: can.Frame) -> list[can.Frame]:
        """Carry out one frame from the host and return the replies; nonsense is ignored."""
        msg_id, device = can.split_id(frame.arbitration_id)
        if self.silent or device != self.device_id:
            return []
        finger = can.finger_of(msg_id, can.MsgId.TORQUE)
        try:
            if finger is not None:
                self._counts[4 * finger : 4 * finger + 4] = can.decode_finger(frame.data)
                self._world.set_hand_torque_units(self._counts / self._counts_per_unit)
                return []
            return self._command(msg_id, frame.data)
        except DeviceError:
            return []

    def _command(self, msg_id: int, data: bytes) -> list[can.Frame]:
        if msg_id == can.MsgId.SERVO_ON:
            self._world.set_hand_servo(True)
        elif msg_id == can.MsgId.SERVO_OFF:
            self.servo_off()
        elif msg_id == can.MsgId.PERIOD:
            self._position_ms, _, self._temperature_ms = can.decode_period(data)
            self._since_position_ms = self._since_temperature_ms = 0
        elif msg_id == can.MsgId.CONFIG and data:
            self.device_id = data[0] & 0b11
        elif data:
            return []
        elif msg_id == can.MsgId.INFO:
            return [can.info_frame(self._info(), self.device_id)]
        elif msg_id == can.MsgId.SERIAL:
            return [can.serial_frame(SERIAL, self.device_id)]
        elif can.finger_of(msg_id, can.MsgId.POSITION) is not None:
            return [self._positions()[msg_id - can.MsgId.POSITION]]
        return []

    def cool_down(self) -> None:
        """Return to ambient temperature."""
        self.temperature_c = _AMBIENT_C
        self.over_temperature = False

    def servo_off(self) -> None:
        """Switch the torque stage off, as the host's command or the hand's own protection does."""
        self._counts[:] = 0.0
        self._world.set_hand_servo(False)

    def tick(self) -> list[can.Frame]:
        """Return the periodic frames due after one more set of the world (3 ms)."""
        frames: list[can.Frame] = []
        if self._position_ms:
            self._since_position_ms += self._set_ms
            if self._since_position_ms >= self._position_ms:
                self._since_position_ms = 0
                frames += self._positions()
        if self._temperature_ms:
            self._since_temperature_ms += self._set_ms
            if self._since_temperature_ms >= self._temperature_ms:
                self._since_temperature_ms = 0
                frames += [self._temperature(finger) for finger in range(can.FINGERS)]
        return [] if self.silent else frames

    def _positions(self) -> list[can.Frame]:
        return can.position_frames(can.radians_to_counts(self._world.hand_q), self.device_id)

    def _temperature(self, finger: int) -> can.Frame:
        identifier = can.arbitration_id(can.MsgId.TEMPERATURE + finger, self.device_id)
        return can.Frame(identifier, bytes([self.temperature_c & 0xFF] * can.JOINTS_PER_FINGER))

    def _info(self) -> can.HandInfo:
        status = can.Status.SERVO_ON if self._world.hand_servo else can.Status(0)
        if self.over_temperature:
            status |= can.Status.OVER_TEMPERATURE
        return can.HandInfo((4, 0), (1, 5), self.side, self.temperature_c & 0xFF, status)
