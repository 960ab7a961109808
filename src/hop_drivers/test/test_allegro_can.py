"""The CAN codec: identifiers and scalings of the data sheet, and round trips of everything it can
say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop_core.errors import DeviceError
from hop_drivers import allegro_can as can
from hop_drivers.position_sets import PositionAssembler

counts = st.lists(st.integers(-32767, 32767), min_size=16, max_size=16)
device = st.integers(0, 3)
PERIOD_S = 3e-3


def test_identifiers_of_device_0_are_those_of_the_protocol():
    assert can.servo_frame(True).arbitration_id == 0x100
    assert can.servo_frame(False).arbitration_id == 0x104
    torque = [frame.arbitration_id for frame in can.torque_frames(np.zeros(16))]
    assert torque == [0x180, 0x184, 0x188, 0x18C]
    position = [frame.arbitration_id for frame in can.position_frames(np.zeros(16))]
    assert position == [0x80, 0x84, 0x88, 0x8C]
    assert can.period_frame(3).arbitration_id == 0x204
    assert can.request_frame(can.MsgId.INFO).arbitration_id == 0x200
    assert can.request_frame(can.MsgId.SERIAL).arbitration_id == 0x220


def test_one_count_is_8_876e_5_rad():
    assert pytest.approx(8.876e-5, rel=1e-4) == can.RAD_PER_COUNT


def test_period_is_three_little_endian_words():
    assert can.period_frame(3, 0, 500).data == bytes([3, 0, 0, 0, 0xF4, 1])


def test_info_and_serial_are_remote_requests_without_data():
    for msg_id in (can.MsgId.INFO, can.MsgId.SERIAL):
        frame = can.request_frame(msg_id, 2)
        assert frame.is_remote
        assert frame.data == b""


@given(counts, device)
def test_torque_round_trip(values, device_id):
    frames = can.torque_frames(np.array(values), device_id)
    seen = []
    for finger, frame in enumerate(frames):
        msg_id, found = can.split_id(frame.arbitration_id)
        assert (can.finger_of(msg_id, can.MsgId.TORQUE), found) == (finger, device_id)
        seen += can.decode_finger(frame.data)
    assert seen == values


@given(st.lists(st.floats(-2.8, 2.8), min_size=16, max_size=16))
def test_angles_survive_the_wire_within_half_a_count(q):
    assembler = PositionAssembler(PERIOD_S)
    frames = can.position_frames(can.radians_to_counts(q))
    sets = [assembler.add(finger, frame.data, 0.0) for finger, frame in enumerate(frames)]
    assert sets[:3] == [None, None, None]
    np.testing.assert_allclose(sets[3], q, atol=can.RAD_PER_COUNT / 2 + 1e-12)


@given(st.permutations(range(4)))
def test_a_set_is_complete_in_any_order_of_fingers(order):
    assembler = PositionAssembler(PERIOD_S)
    frames = can.position_frames(np.arange(16))
    sets = [assembler.add(finger, frames[finger].data, 0.0) for finger in order]
    np.testing.assert_allclose(sets[3], np.arange(16) * can.RAD_PER_COUNT)


def test_a_lost_frame_costs_one_set_and_is_counted():
    assembler = PositionAssembler(PERIOD_S)
    frames = can.position_frames(np.arange(16))
    arriving = [0, 1, 3, 0, 1, 2, 3]  # finger 2 of the first set is lost
    sets = [assembler.add(finger, frames[finger].data, 0.0) for finger in arriving]
    assert sum(q is not None for q in sets) == 1
    assert assembler.incomplete_sets == 1


@pytest.mark.parametrize("lost", range(4))
def test_a_set_never_joins_frames_of_two_periods(lost):
    """Whichever frame is lost, though all later ones come."""
    assembler = PositionAssembler(PERIOD_S)
    complete = []
    for period in range(4):
        frames = can.position_frames(np.full(16, period))
        for finger in range(4):
            if (period, finger) == (1, lost):
                continue
            stamp_s = 5.0 + period * PERIOD_S + finger * 1.3e-4
            q = assembler.add(finger, frames[finger].data, stamp_s)
            if q is not None:
                complete.append(np.rint(q / can.RAD_PER_COUNT).tolist())
    assert complete == [[float(period)] * 16 for period in (0, 2, 3)]
    assert assembler.incomplete_sets == 1


def test_a_set_may_be_spread_over_its_period():
    assembler = PositionAssembler(PERIOD_S)
    frames = can.position_frames(np.arange(16))
    for period in range(3):
        stamps_s = period * PERIOD_S + np.arange(4) * PERIOD_S / 4
        sets = [assembler.add(i, frames[i].data, stamp_s) for i, stamp_s in enumerate(stamps_s)]
        assert sets[3] is not None
    assert assembler.incomplete_sets == 0


@given(
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
    st.sampled_from(can.Side),
    st.integers(0, 255),
    st.integers(0, 7),
)
def test_info_round_trip(version, side, temperature, status):
    info = can.HandInfo(version, version, side, temperature, can.Status(status))
    assert can.decode_info(can.info_frame(info).data) == info


def test_serial_round_trip():
    assert can.decode_serial(can.serial_frame("SAH040AB").data) == "SAH040AB"


@pytest.mark.parametrize(
    "call",
    [
        lambda: can.decode_finger(b"1234567"),
        lambda: can.decode_period(b"12345"),
        lambda: can.decode_info(b"123456"),
        lambda: can.decode_info(bytes([0, 0, 0, 0, 7, 30, 0])),
        lambda: can.torque_frames(np.zeros(15)),
        lambda: can.torque_frames(np.full(16, np.nan)),
        lambda: can.torque_frames(np.full(16, 40000)),
    ],
)
def test_what_makes_no_sense_is_an_error_and_no_frame(call):
    with pytest.raises(DeviceError):
        call()
