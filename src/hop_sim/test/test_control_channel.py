"""The control channel resets, tells the truth, injects faults, and survives any input."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hop_core.errors import TwinError
from hop_sim.control_schema import parse_request
from hop_sim.twin_client import TwinClient

ADDRESS, ABSENT = (f"{os.environ['HOP_TEST_NET']}.{host}" for host in (4, 98))
PORT = 29600


@pytest.fixture
def client(running_twin):
    with TwinClient(ADDRESS, PORT) as connected:
        yield connected


def _raw(*lines: bytes) -> list[dict]:
    with socket.create_connection((ADDRESS, PORT), 2.0) as sock:
        sock.sendall(b"".join(lines))
        file = sock.makefile("rb")
        return [json.loads(file.readline()) for _ in lines]


def test_hello_says_what_a_camera_needs(client):
    hello = client.hello()
    assert hello["task"] == "grasp_lift"
    assert len(hello["model_hash"]) == 16
    assert hello["camera"]["resolution"] == "320x180"


def test_reset_is_a_function_of_its_seed_and_begins_a_new_episode(client):
    first, other, again = client.reset(3), client.reset(4), client.reset(3)
    same = {"T_base_object", "T_base_cam", "start_q", "object"}
    assert {key: first[key] for key in same} == {key: again[key] for key in same}
    assert other["T_base_object"] != first["T_base_object"]
    assert again["episode"] == first["episode"] + 2
    judged = client.success()  # once: the world goes on between two questions
    assert (judged["success"], judged["seed"]) == (False, 3)


def test_reset_leaves_the_robot_where_it_is_unless_told_to_teleport(client):
    before = np.array(client.state()["q"])
    client.reset(11)
    after = np.array(client.state()["q"])
    np.testing.assert_allclose(after[:7], before[:7], atol=1e-3)
    reply = client.reset(12, teleport_robot=True)
    now = np.array(client.state()["q"])
    np.testing.assert_allclose(now[:7], reply["start_q"][:7], atol=0.02)


def test_state_carries_the_devices_and_the_loop(client):
    state = client.state()
    assert len(state["q"]) == 23
    assert state["devices"]["arm"]["state"] == 4
    assert state["loop"]["sets"] > 0
    assert np.array(state["T_base_object"]).shape == (4, 4)


def test_unknown_object_and_fault_are_refused_in_words(client):
    with pytest.raises(TwinError, match="no object 'teapot'"):
        client.reset(0, object="teapot")
    with pytest.raises(TwinError, match=r"twin reset: camera_shift_m.1: .* finite number"):
        client.reset(0, camera_shift_m=(0.1, float("nan"), 0.0))
    with pytest.raises(TwinError, match="twin reset: camera_jitter"):
        client.reset(0, camera_jitter=-1.0)
    with pytest.raises(TwinError, match=r"arm_error.*hand_silent"):
        client.inject("meteorite")
    with pytest.raises(TwinError, match="code"):
        client.inject("arm_error")


@pytest.mark.parametrize(
    "line",
    [
        b"not json\n",
        b"[]\n",
        b'{"cmd": "fly"}\n',
        b'{"cmd": "reset"}\n',
        b'{"cmd": "reset", "seed": -1}\n',
        b'{"cmd": "reset", "seed": 1, "camera_shift_m": [NaN, 0, 0]}\n',
        b'{"cmd": "hello", "extra": 1}\n',
        b"\xff\xfe\n",
    ],
)
def test_bad_input_gets_one_error_reply_and_the_connection_lives(running_twin, line):
    bad, good = _raw(line, b'{"cmd": "hello"}\n')
    assert bad["ok"] is False
    assert bad["error"].startswith("twin control channel: ")
    assert good["ok"] is True


def test_endless_line_is_cut_off_with_a_reply(running_twin):
    with socket.create_connection((ADDRESS, PORT), 2.0) as sock:
        sock.sendall(b"x" * 70000)
        assert b"longer than" in sock.makefile("rb").readline()
    with TwinClient(ADDRESS, PORT) as client:
        assert client.hello()


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_parser_raises_nothing_but_twin_errors(line):
    with contextlib.suppress(TwinError):
        assert parse_request(line).cmd


def test_no_twin_at_an_address_is_one_sentence():
    with pytest.raises(TwinError, match=f"no twin answers at {ABSENT}:29600"):
        TwinClient(ABSENT, PORT)
    with pytest.raises(TwinError, match=r"no twin answers at a\.\.b:29600"):
        TwinClient("a..b", PORT)


@pytest.mark.parametrize("line", [b"HTTP/1.1 400 Bad Request", b"[]", b'{"status": "up"}'])
def test_what_answers_and_is_no_twin_is_told(line):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(line + b"\n")

        threading.Thread(target=answer, daemon=True).start()
        with (
            TwinClient(*server.getsockname()) as client,
            pytest.raises(TwinError, match="is no twin"),
        ):
            client.hello()
