"""The hand's adapter and the bus under it: frames that are no positions, a full queue."""

import time

import can
import numpy as np
import pytest

from hop_core.errors import DeviceError
from hop_core.robot_config import HandConfig
from hop_drivers import allegro_can as protocol
from hop_drivers.allegro import AllegroHand
from hop_drivers.can_bus import relax
from hop_drivers.hand_guard import switch_off

CONFIG = HandConfig(interface="socketcan", channel="nowhere", silence_s=0.1)
Q = np.linspace(0.0, 0.6, 16)


class Bus:
    """Hands out `frames`, one a call; takes what is sent, but for the first `refused` frames."""

    def __init__(self, frames=(), refused=0):
        self.frames, self.refused, self.sent = list(frames), refused, []

    def recv(self, _timeout):
        return self.frames.pop(0) if self.frames else None

    def send(self, message):
        if self.refused:
            self.refused -= 1
            raise can.CanOperationError("no buffer space available")
        self.sent.append(message.arbitration_id)

    def shutdown(self):
        pass


class Endless(Bus):
    """Says the same frames over and over, one a millisecond."""

    def recv(self, _timeout):
        time.sleep(1e-3)
        self.frames = [*self.frames[1:], self.frames[0]]
        return self.frames[0]


def hand_on(bus):
    """A hand whose identity and first set are behind it."""
    hand = AllegroHand(CONFIG)
    hand._bus, hand._can = bus, can
    hand._last_set = hand._listened = time.monotonic()
    return hand


def positions(q=Q):
    return [
        can.Message(arbitration_id=frame.arbitration_id, data=frame.data, is_extended_id=False)
        for frame in protocol.position_frames(protocol.radians_to_counts(q))
    ]


@pytest.mark.parametrize("flags", [{"is_error_frame": True}, {"is_remote_frame": True}, {}])
def test_what_only_looks_like_a_finger_is_none(flags):
    frames = positions()
    data = {} if "is_remote_frame" in flags or not flags else {"data": bytes(8)}
    fake = can.Message(arbitration_id=0x88, is_extended_id=False, **flags, **data)
    hand = hand_on(Bus([*frames[:2], fake, *frames[2:]]))
    assert hand.receive() is None
    assert hand.receive() == pytest.approx(Q, abs=1e-4)
    assert hand.bus_errors == ("is_error_frame" in flags)


def test_a_hand_is_silent_whatever_else_is_on_the_bus():
    other = protocol.arbitration_id(protocol.MsgId.POSITION, 1)
    noise = [
        can.Message(arbitration_id=other, data=bytes(8), is_extended_id=False),
        can.Message(arbitration_id=0x88, data=bytes(8), is_error_frame=True),
    ]
    hand = hand_on(Bus(noise * 100))
    deadline = time.monotonic() + 10.0 * CONFIG.silence_s
    fell_silent = ""
    while not fell_silent and time.monotonic() < deadline:
        time.sleep(0.005)
        try:
            assert hand.receive() is None
        except DeviceError as error:
            fell_silent = str(error)
    assert "has not told all its joints" in fell_silent


def test_a_finger_that_falls_silent_is_a_silent_hand():
    """The other three go on: nothing may wait for a set that never comes."""
    hand = hand_on(Endless(positions()[:3]))
    assert hand.receive() is None
    hand._last_set -= 2.0 * CONFIG.silence_s
    began = time.monotonic()
    with pytest.raises(DeviceError, match="has not told all its joints"):
        hand.receive()
    assert time.monotonic() - began < 0.5  # 10 ms where nobody else has the core


def test_a_hand_without_one_finger_is_not_connected(monkeypatch):
    bus = Endless(positions()[:3])
    monkeypatch.setattr("hop_drivers.allegro.open_bus", lambda _config: bus)
    hand = AllegroHand(CONFIG)
    hand._info, hand.serial = protocol.HandInfo((1, 0), (1, 0), protocol.Side.RIGHT, 20, 0), "SAH"
    with pytest.raises(DeviceError, match="did not send its joint positions within 1 s"):
        hand.open()


def test_a_stall_of_this_process_is_no_silence():
    info = can.Message(arbitration_id=0x208, data=bytes(8), is_extended_id=False)
    hand = hand_on(Bus([*positions(), info, *positions()]))
    assert hand.receive() is not None
    time.sleep(2.0 * CONFIG.silence_s)
    assert hand.receive() is None
    assert hand.receive() is not None


def test_a_stop_that_did_not_all_go_out_is_not_confirmed():
    bus = Bus(refused=1)
    hand = hand_on(bus)
    with pytest.raises(DeviceError, match="may still be on"):
        hand.servo(False)
    assert len(bus.sent) == 4  # the others
    hand.servo(False)
    assert bus.sent[4] == protocol.servo_frame(False, 0).arbitration_id
    bus.refused = 1
    assert not hand.close()


def test_a_queue_that_is_full_does_not_keep_the_hand_on():
    full = Bus(refused=1)
    assert not relax(full, CONFIG, "a bus")
    assert len(full.sent) == 5
    free = Bus()
    assert relax(free, CONFIG, "a bus")
    assert free.sent[0] == protocol.servo_frame(False, 0).arbitration_id


def test_the_guard_tries_again_and_says_what_was_in_the_way(monkeypatch):
    buses = [Bus(refused=100), Bus(refused=1), Bus()]
    monkeypatch.setattr("hop_drivers.hand_guard.open_bus", lambda _config: buses.pop(0))
    assert switch_off(CONFIG, 5.0) == ""
    assert not buses

    def closed(_config):
        raise DeviceError("cannot open the CAN bus")

    monkeypatch.setattr("hop_drivers.hand_guard.open_bus", closed)
    assert switch_off(CONFIG, 0.3) == "cannot open the CAN bus"


def test_after_a_stall_the_newest_set_is_how_things_are():
    sets = [positions(Q * share) for share in (0.2, 0.4, 0.6)]
    begun = positions(Q)[:2]
    hand = hand_on(Bus([*sets[0], *sets[1], *sets[2], *begun]))
    np.testing.assert_allclose(hand.receive(), 0.2 * Q, atol=1e-3)
    newest, waiting = hand.newest()
    np.testing.assert_allclose(newest, 0.6 * Q, atol=1e-3)
    assert waiting == 2
    assert hand.newest() == (None, 0)


def test_a_set_is_the_readers_own_though_the_next_one_is_under_way():
    hand = hand_on(Bus([*positions(Q), *positions(2 * Q)[:2]]))
    q = hand.receive()
    assert hand.newest() == (None, 0)
    np.testing.assert_allclose(q, Q, atol=1e-3)
