"""`hop doctor`: each check tells right from wrong, says what to do, and a miss is exit code 1."""

import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import threading
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest

from hop_core import doctor, doctor_cli, doctor_machine, doctor_robot, doctor_software
from hop_core.errors import ConfigError
from hop_core.health import DoctorContext, Finding, Health
from hop_core.robot_config import ArmConfig, HandConfig, load_robot

NET = os.environ["HOP_TEST_NET"]
CONFIG = Path(__file__).parents[3] / "config"
TWIN = DoctorContext("twin", CONFIG, load_robot("twin", CONFIG))
LAB = DoctorContext("example_lab", CONFIG, load_robot("example_lab", CONFIG))


def states(findings):
    return {finding.check: finding.state for finding in findings}


@pytest.mark.parametrize(
    ("number", "state"),
    [((3, 10), "miss"), ((3, 11), "ok"), ((3, 12), "ok"), ((3, 14), "warn")],
)
def test_pins_resolve_on_python_3_11_and_3_12(number, state):
    assert doctor_machine.python(number).state == state


def test_little_memory_and_no_shared_memory_are_told(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 4000000 kB\nMemAvailable:     900000 kB\n")
    finding = doctor_machine.memory(meminfo)
    assert finding.state is Health.WARN
    assert "878 MB" in finding.found
    assert doctor_machine.memory(tmp_path / "absent").state is Health.WARN
    assert doctor_machine.shared_memory(tmp_path / "absent").state is Health.MISS


@pytest.mark.parametrize(
    ("late_ms", "missed", "state"), [(0.2, 0, "ok"), (2.5, 0, "warn"), (0.2, 20, "warn")]
)
def test_a_loop_that_wakes_late_or_misses_is_warned_of(monkeypatch, late_ms, missed, state):
    stats = doctor_machine.LoopStats(333.0, 333, missed, 0.1, late_ms)
    monkeypatch.setattr(doctor_machine, "_bare_loop", lambda _period_ns, _seconds: stats)
    assert doctor_machine.sleeping().state == state


def test_punctuality_is_measured_at_the_hand_s_rate():
    assert doctor_machine.sleeping(0.05).found.startswith("333 Hz")


def test_packages_must_be_there_as_pinned_or_newer(tmp_path):
    numpy = version("numpy")
    (tmp_path / "base.txt").write_text(
        f"# comment\nnumpy=={numpy}\nPyYAML==0.1\nmujoco==999.0\n\nno-such-package[extra]==1.0\n"
    )
    (tmp_path / "torch.txt").write_text("")
    findings = doctor_software.packages(tmp_path, ros_from_apt=True)
    assert states(findings) == {
        "Python packages": "ok",
        "package mujoco": "warn",
        "package no-such-package": "miss",
    }
    assert findings[0].found.startswith("2 ")
    assert "base.txt" in findings[1].fix


def test_the_workspace_s_own_pins_are_read():
    pins = doctor_software.read_pins(doctor_software.requirements_folder() / "base.txt")
    assert {"numpy", "mujoco", "python-can", "xarm-python-sdk"} <= pins.keys()


def test_a_local_build_of_a_version_is_that_version():
    assert doctor_software.release("2.13.0+cpu") == doctor_software.release("2.13.0")
    assert doctor_software.release("2.9.1") < doctor_software.release("2.13.0")


@pytest.mark.parametrize(
    ("environment", "check", "state"),
    [
        ({}, "DDS profile", "warn"),
        ({"FASTRTPS_DEFAULT_PROFILES_FILE": "/no/such.xml"}, "DDS profile", "miss"),
        ({"FASTRTPS_DEFAULT_PROFILES_FILE": str(CONFIG / "fastdds.xml")}, "DDS profile", "ok"),
        ({}, "ROS middleware", "ok"),
        ({"RMW_IMPLEMENTATION": "rmw_cyclonedds_cpp"}, "ROS middleware", "warn"),
        ({"ROS_DOMAIN_ID": "7"}, "ROS domain", "ok"),
        ({"ROS_DOMAIN_ID": "120"}, "ROS domain", "warn"),
        ({"ROS_DOMAIN_ID": "233"}, "ROS domain", "miss"),
        ({"ROS_DOMAIN_ID": "-1"}, "ROS domain", "miss"),
        ({"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, "DDS discovery", "ok"),
        ({}, "DDS discovery", "warn"),
        ({"ROS_LOCALHOST_ONLY": "1"}, "DDS discovery", "warn"),
    ],
)
def test_dds_settings_are_those_of_the_workspace(environment, check, state):
    assert states(doctor_software.dds(environment))[check] == state


def test_an_unsourced_workspace_is_told(tmp_path):
    (tmp_path / "share" / "hop_policy" / "launch").mkdir(parents=True)
    assert doctor_software.workspace({}).state is Health.MISS
    assert doctor_software.workspace({"AMENT_PREFIX_PATH": f"/x:{tmp_path}"}).state is Health.OK


def test_pypi_s_pyzed_is_not_taken_for_the_camera_s(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "pyzed.py").write_text("")
    importlib.invalidate_caches()
    assert doctor_software.pyzed(TWIN).state is Health.WARN
    finding = doctor_software.pyzed(LAB)
    assert finding.state is Health.MISS
    assert "uninstall pyzed" in finding.fix
    (tmp_path / "pyzed.py").unlink()
    (tmp_path / "pyzed").mkdir()
    (tmp_path / "pyzed" / "__init__.py").write_text("")
    importlib.invalidate_caches()
    assert doctor_software.pyzed(LAB).state is Health.OK


def test_a_broken_configuration_is_named(tmp_path):
    (tmp_path / "robots").mkdir()
    text = (CONFIG / "robots" / "twin.yaml").read_text()
    (tmp_path / "robots" / "mine.yaml").write_text(text.replace("payload_kg:", "payload:"))
    context = doctor.context_of("mine", tmp_path)
    assert context.cell is None
    findings = doctor_robot.configurations(context)
    overlay = findings[0]
    assert overlay.state is Health.MISS
    assert "mine.yaml" in overlay.found
    assert "payload" in overlay.found
    assert states(findings)["safety.yaml"] == "miss"


def speak(server):
    with contextlib.suppress(OSError):  # the test ended without a connection
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"\x00\x00\x00\x91")


@pytest.fixture
def box(monkeypatch):
    """A control box on a loopback address of its own."""
    address = f"{NET}.5"
    with (
        socket.create_server((address, 0)) as commands,
        socket.create_server((address, 0)) as reports,
    ):
        monkeypatch.setattr(doctor_robot, "REPORT_PORT", reports.getsockname()[1])
        speaker = threading.Thread(target=speak, args=(reports,))
        speaker.start()
        yield ArmConfig(
            address=address,
            control_port=commands.getsockname()[1],
            payload_kg=1.0,
            payload_center_m=(0.0, 0.0, 0.0),
        )
        reports.shutdown(socket.SHUT_RDWR)
        speaker.join()


def test_a_control_box_takes_commands_and_sends_reports(box):
    assert {finding.state for finding in doctor_robot.control_box(box)} == {Health.OK}


def test_an_absent_control_box_is_told_with_its_address(box):
    absent = box.model_copy(update={"address": f"{NET}.6"})
    for finding in doctor_robot.control_box(absent):
        assert finding.state is Health.MISS
        assert f"{NET}.6" in finding.found
        assert "arm.address" in finding.fix


def test_a_box_that_accepts_but_says_nothing_is_no_box(box, monkeypatch):
    with socket.create_server((box.address, 0)) as silent:
        monkeypatch.setattr(doctor_robot, "REPORT_PORT", silent.getsockname()[1])
        monkeypatch.setattr(doctor_robot, "_ANSWER_S", 0.1)
        assert doctor_robot.control_box(box)[1].state is Health.MISS


@pytest.mark.parametrize(
    ("kind", "flags", "state", "word"),
    [
        (None, None, "miss", "plug"),
        ("1", "0x1003", "miss", "channel"),
        ("280", "0x40080", "miss", "bitrate 1000000"),
        ("280", "0x40081", "ok", ""),
    ],
)
def test_the_hand_s_can_interface_must_be_up(tmp_path, kind, flags, state, word):
    if kind is not None:
        (tmp_path / "can0").mkdir()
        (tmp_path / "can0" / "type").write_text(kind + "\n")
        (tmp_path / "can0" / "flags").write_text(flags + "\n")
    finding = doctor_robot.hand_bus(HandConfig(interface="socketcan"), tmp_path)
    assert finding.state == state
    assert word in finding.fix


@pytest.mark.parametrize(("module", "state"), [("json", "ok"), ("no_such_sdk.sl", "miss")])
def test_the_camera_module_must_import(module, state):
    camera = LAB.cell.camera.model_copy(update={"sl_module": module})
    finding = doctor_robot.camera_module(camera)
    assert finding.state == state
    assert module.split(".")[0] in finding.found


def test_a_twin_s_devices_are_not_looked_for():
    checks = [finding.check for finding in doctor_robot.check(TWIN)]
    assert checks == ["robots/twin.yaml", "safety.yaml", "embodiment"]


class Plugged:
    """Stands for an entry point."""

    def __init__(self, check):
        self.check = check

    def load(self):
        return self.check


def refuse(_context):
    raise ConfigError("mine.yaml: too high")


@pytest.fixture
def quick(monkeypatch):
    """No checks but those that a test plugs in."""
    for module in (doctor_machine, doctor_software, doctor_robot):
        monkeypatch.setattr(module, "check", lambda _context: [])
    plugged = {}
    monkeypatch.setattr(doctor, "verbs", lambda _group: plugged)
    return plugged


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warn", 0), ("miss", 1)])
def test_only_a_miss_is_a_failure(quick, capsys, state, code):
    quick["own"] = Plugged(lambda _context: [Finding("it", Health(state), "[found]", "do this")])
    assert doctor_cli.main(["--json", "--config-dir", str(CONFIG)]) == code
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is (code == 0)
    assert report["checks"] == [
        {"check": "it", "state": state, "found": "[found]", "fix": "do this"}
    ]
    assert doctor_cli.main(["--config-dir", str(CONFIG)]) == code
    assert "[found]" in capsys.readouterr().out


def test_a_broken_plug_in_is_a_miss_and_the_others_still_run(quick):
    quick["bad"] = EntryPoint("bad", "no_such_package.doctor:check", "hop.doctor_checks")
    quick["ill"] = Plugged(refuse)
    quick["own"] = Plugged(lambda _context: [Finding("it", Health.OK, "fine")])
    found = states(doctor.examine(TWIN))
    assert found == {"checks of bad": "miss", "checks of ill": "miss", "it": "ok"}


def test_the_whole_examination_needs_no_torch():
    program = (
        "import sys; from hop_core.doctor import context_of, examine;"
        "findings = examine(context_of('twin', None));"
        "assert 'torch' not in sys.modules; print(len(findings))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 15
