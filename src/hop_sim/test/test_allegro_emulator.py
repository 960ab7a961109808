"""python-can drives the emulated hand over socketcand as it drives a real one over a gateway."""

from __future__ import annotations

import contextlib
import os
import socket
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hop_core.embodiment import HAND, load_embodiment
from hop_core.errors import DeviceError
from hop_drivers import allegro_can as codec
from hop_drivers.position_sets import PositionAssembler
from hop_sim import socketcand
from hop_sim.hand_firmware import HandFirmware
from hop_sim.twin_client import TwinClient
from hop_sim.world import World

can = pytest.importorskip("can")

ADDRESS = f"{os.environ['HOP_TEST_NET']}.2"
PORT = 29536


@pytest.fixture
def bus(running_twin):
    with can.Bus(
        interface="socketcand", host=ADDRESS, port=PORT, channel="can0", tcp_tune=True
    ) as opened:
        yield opened


@pytest.fixture
def twin(running_twin):
    with TwinClient(ADDRESS, 29600) as client:
        yield client
        client.clear()


def _send(bus, frame: codec.Frame) -> None:
    bus.send(
        can.Message(
            arbitration_id=frame.arbitration_id,
            data=frame.data,
            is_extended_id=False,
            is_remote_frame=frame.is_remote,
        )
    )


def _ask(bus, msg_id: codec.MsgId) -> bytes:
    _send(bus, codec.request_frame(msg_id))
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        message = bus.recv(0.1)
        if message is not None and codec.split_id(message.arbitration_id)[0] == msg_id:
            return bytes(message.data)
    raise AssertionError(f"no reply to {msg_id!r}")


def test_info_and_serial_answer_requests_that_arrive_without_their_remote_bit(bus):
    info = codec.decode_info(_ask(bus, codec.MsgId.INFO))
    assert info.side is codec.Side.RIGHT
    assert not info.status & codec.Status.SERVO_ON
    assert codec.decode_serial(_ask(bus, codec.MsgId.SERIAL)).startswith("SAH040")


def test_every_3_ms_of_the_world_sends_a_set_and_a_position_loop_holds_the_hand(bus, twin):
    hand = load_embodiment().hand
    kp, kd = np.array(hand.kp), np.array(hand.kd)
    target = load_embodiment().home[HAND]
    _send(bus, codec.period_frame(3))
    _send(bus, codec.servo_frame(True))
    assembler, last, received = PositionAssembler(3e-3), None, 0
    before = twin.state()["time_s"]
    while received < 500:  # 1.5 s
        message = bus.recv(10.0)
        assert message is not None
        finger = codec.finger_of(codec.split_id(message.arbitration_id)[0], codec.MsgId.POSITION)
        q = (
            assembler.add(finger, bytes(message.data), message.timestamp)
            if finger is not None
            else None
        )
        if q is None:
            continue
        received += 1
        speed = np.zeros(16) if last is None else (q - last) / 0.003
        last = q.copy()
        units = kp * (target - q) - kd * np.clip(speed, -7, 7)
        counts = np.clip(units, -np.array(hand.cap), np.array(hand.cap)) * hand.counts_per_unit
        for frame in codec.torque_frames(np.rint(counts)):
            _send(bus, frame)
    error = np.abs(last - target).max()
    _send(bus, codec.period_frame(0))
    stopped_s = twin.state()["time_s"]
    while (message := bus.recv(0.2)) is not None:  # what a busy machine has not read yet
        finger = codec.finger_of(codec.split_id(message.arbitration_id)[0], codec.MsgId.POSITION)
        if (
            finger is not None
            and assembler.add(finger, bytes(message.data), message.timestamp) is not None
        ):
            received += 1
    assert received == pytest.approx((stopped_s - before) / 0.003, abs=10)
    assert assembler.incomplete_sets == 0
    # The fingers' weight bends these soft gains; without torque they would hang 0.3 rad and more
    # away.
    assert error < 0.25
    _send(bus, codec.servo_frame(False))


def test_silent_hand_sends_nothing_until_it_is_cleared(bus, twin):
    _send(bus, codec.period_frame(3))
    assert bus.recv(20.0) is not None
    twin.inject("hand_silent")
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        bus.recv(0.01)
    assert bus.recv(0.1) is None
    twin.clear()
    assert bus.recv(20.0) is not None
    _send(bus, codec.period_frame(0))


def test_over_temperature_shows_in_info(bus, twin):
    twin.inject("hand_over_temperature", temperature_c=81)
    info = codec.decode_info(_ask(bus, codec.MsgId.INFO))
    assert info.temperature_c == 81
    assert info.status & codec.Status.OVER_TEMPERATURE


def test_unfollowable_text_ends_only_its_own_connection(bus, running_twin):
    with socket.create_connection((ADDRESS, PORT), 1.0) as stranger:
        assert stranger.recv(64) == socketcand.GREETING
        stranger.sendall(b"< frobnicate >")
        stranger.settimeout(2.0)
        assert stranger.recv(64) == b""
    assert _ask(bus, codec.MsgId.SERIAL)


@pytest.fixture
def firmware(table_scene):
    return HandFirmware(World(table_scene, load_embodiment()), load_embodiment())


def test_frames_for_another_device_are_ignored(firmware):
    assert firmware.take(codec.request_frame(codec.MsgId.INFO, device_id=1)) == []
    firmware.take(codec.period_frame(3, device_id=1))
    assert firmware.tick() == []


def test_nothing_reaches_a_silent_hand_whose_last_torque_acts_on(firmware):
    firmware.take(codec.servo_frame(True))
    for frame in codec.torque_frames(np.full(16, 120)):
        firmware.take(frame)
    firmware.silent = True
    for frame in codec.torque_frames(np.zeros(16)):
        firmware.take(frame)
    assert firmware.take(codec.servo_frame(False)) == []
    firmware._world.step(3)
    assert firmware._world.data.ctrl[7:23].all()


def test_position_frames_carry_the_joint_angles_in_wire_order(firmware):
    firmware.take(codec.period_frame(3))
    frames = firmware.tick()
    assert [f.arbitration_id for f in frames] == [0x80, 0x84, 0x88, 0x8C]
    assembler = PositionAssembler(3e-3)
    for finger, frame in enumerate(frames):
        q = assembler.add(finger, frame.data, 0.0)
    np.testing.assert_allclose(q, load_embodiment().home[HAND], atol=codec.RAD_PER_COUNT)


def test_torques_act_until_the_servo_goes_off(table_scene):
    world = World(table_scene, load_embodiment())
    firmware = HandFirmware(world, load_embodiment())
    firmware.take(codec.servo_frame(True))
    for frame in codec.torque_frames(np.full(16, 120)):
        firmware.take(frame)
    for _ in range(3):  # no watchdog: the last torques stay
        world.step(3)
    np.testing.assert_allclose(
        world.data.ctrl[7:23], 0.1 * load_embodiment().hand.torque_per_unit_nm
    )
    firmware.take(codec.servo_frame(False))
    world.step(3)
    assert not world.data.ctrl[7:23].any()


@given(st.integers(0, 0x7FF), st.binary(max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_frame_written_by_python_can_is_read_back(identifier, data):
    message = can.Message(arbitration_id=identifier, data=data, is_extended_id=False)
    text = can.interfaces.socketcand.socketcand.convert_can_message_to_ascii_message(message)
    (words,) = socketcand.MessageCutter().feed(text.encode())
    assert socketcand.parse_send(words) == codec.Frame(identifier, data)
    ours = socketcand.format_frame(codec.Frame(identifier, data or b"\0"), 12.5).decode()
    back = can.interfaces.socketcand.socketcand.convert_ascii_message_to_can_message(ours)
    assert (back.arbitration_id, bytes(back.data)) == (identifier, data or b"\0")


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_garbage_text_is_cut_or_refused_by_a_typed_error(data):
    cutter = socketcand.MessageCutter()
    with contextlib.suppress(DeviceError):
        for words in cutter.feed(data):
            if words and words[0] == b"send":
                assert isinstance(socketcand.parse_send(words), codec.Frame)
