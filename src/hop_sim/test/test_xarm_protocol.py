"""Requests, replies and reports of the control box are what the vendor's SDK expects."""

from __future__ import annotations

import contextlib
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hop_core.errors import DeviceError
from hop_sim import xarm_protocol as protocol
from hop_sim import xarm_reports as reports

report = pytest.importorskip("xarm.x3.report")

requests = st.builds(
    protocol.Request,
    transaction=st.integers(0, 65535),
    protocol=st.sampled_from([0, 2, 3]),
    func=st.integers(0, 255),
    payload=st.binary(max_size=60),
)


def encode_request(request: protocol.Request) -> bytes:
    """The frame of a request, as the SDK sends it."""
    header = struct.pack(">HHH", request.transaction, request.protocol, 1 + len(request.payload))
    return header + bytes([request.func]) + request.payload


@given(st.lists(requests, max_size=8), st.lists(st.integers(1, 20), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_requests_survive_any_cutting_of_the_stream(sent, sizes):
    stream = b"".join(encode_request(request) for request in sent)
    framer, received, at, i = protocol.Framer(), [], 0, 0
    while at < len(stream):
        size = sizes[i % len(sizes)]
        received += framer.feed(stream[at : at + size])
        at, i = at + size, i + 1
    assert received == sent


def test_heartbeat_frames_are_swallowed():
    heartbeat = bytes([0, 0, 0, 1, 0, 2, 0, 0])
    request = protocol.Request(7, 2, 13, b"")
    assert protocol.Framer().feed(heartbeat + encode_request(request)) == [request]


@given(st.binary(min_size=6, max_size=200))
@settings(max_examples=100, deadline=None)
def test_garbage_either_parses_or_is_refused_by_a_typed_error(data):
    with contextlib.suppress(DeviceError):
        assert isinstance(protocol.Framer().feed(data), list)


def test_reply_repeats_transaction_protocol_and_function():
    reply = protocol.encode_reply(protocol.Request(0x1234, 3, 42, b""), 0x10, b"ab")
    assert reply == bytes([0x12, 0x34, 0, 3, 0, 4, 42, 0x10]) + b"ab"


def _motion() -> reports.Motion:
    return reports.Motion(
        1, 2, 3, [0.1 * i for i in range(7)], [206.0, 1.0, 120.5, 3.1, 0.2, 0.3], [1.0] * 7
    )


def _health() -> reports.Health:
    return reports.Health(True, 31, 11, [0.5] * 7, 250.0, 77)


def _parse(port, frame):
    data = report.ReportDataStructure.create(port, is_radian=True)
    assert data is not None
    data.update(frame)
    return data


def test_report_frames_have_the_sizes_that_the_sdk_expects():
    settings = reports.Settings()
    assert len(reports.real_report(_motion())) == 135
    assert len(reports.normal_report(_motion(), _health(), settings)) == 145
    assert len(reports.rich_report(_motion(), _health(), settings, "v2.7.1")) == 587


def test_sdk_reads_every_field_of_the_rich_report():
    settings = reports.Settings(
        load=(1.1, 0.0, 1.0, 70.0), collision_sensitivity=4, reduced=True, fence=True, tool_type=21
    )
    data = _parse(30002, reports.rich_report(_motion(), _health(), settings, "v2.7.1"))
    assert (data.data_size, data.mode, data.state, data.cmd_num) == (587, 1, 2, 3)
    np.testing.assert_allclose(data.actual_joint_angle, [0.1 * i for i in range(7)], atol=1e-6)
    np.testing.assert_allclose(data.actual_tcp_pose, [206.0, 1.0, 120.5, 3.1, 0.2, 0.3], atol=1e-4)
    assert (data.error_code, data.warn_code, data.motor_enable_status) == (31, 11, 0x7F)
    np.testing.assert_allclose(data.tcp_payload, [1.1, 0.0, 1.0, 70.0], atol=1e-6)
    assert (data.collision_sens, data.robot_axis, data.collision_tool_type) == (4, 7, 21)
    assert (data.counter, data.target_tcp_speed) == (77, 250.0)
    np.testing.assert_allclose(data.target_joint_speed, [0.5] * 7)
    assert data.temperatures == [35] * 7
    assert data.is_reduced_mode
    assert data.is_fence_mode
    assert data.reduced_tcp_boundary == [[-9999, 9999]] * 3
    assert data.reduced_joint_max_speed == pytest.approx(3.14159, abs=1e-5)
    assert data.version == "v2.7.1"


def test_real_report_says_mode_and_state_but_no_error():
    data = _parse(30003, reports.real_report(_motion()))
    assert (data.data_size, data.mode, data.state) == (135, 1, 2)
    np.testing.assert_allclose(data.estimated_joint_torque, [1.0] * 7)


def test_tcp_pose_of_the_downward_flange_is_the_vendors_zero_pose():
    flange = np.array([[1.0, 0, 0, 0.206], [0, -1, 0, 0], [0, 0, -1, 0.1205], [0, 0, 0, 1]])
    x, y, z, roll, pitch, yaw = reports.tcp_pose(flange, (0.0, 0.0, 100.0, 0.0, 0.0, 0.0))
    np.testing.assert_allclose([x, y, z], [206.0, 0.0, 20.5], atol=1e-9)
    np.testing.assert_allclose([abs(roll), pitch, yaw], [np.pi, 0.0, 0.0], atol=1e-9)
