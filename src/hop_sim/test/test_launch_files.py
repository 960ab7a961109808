"""The launch files of the workspace, as a person uses them: `ros2 launch hop_policy ...`."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from hop_core.config import config_path

SHARED_MEMORY = Path("/dev/shm")
NODES = 6
NET, DOMAIN = os.environ["HOP_TEST_NET"], int(os.environ["HOP_TEST_DOMAIN"]) + 3
ARGUMENTS = (
    "robot:=twin",
    "policy:=untrained",
    f"twin_address:={NET}.77",
    "auto_arm:=false",
)


def installed() -> bool:
    """Return whether hop_policy is installed and sourced, and `ros2` is there."""
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    share = any((Path(prefix) / "share" / "hop_policy").is_dir() for prefix in prefixes if prefix)
    return share and shutil.which("ros2") is not None


pytestmark = pytest.mark.skipif(
    not installed(), reason="needs a built and sourced workspace: make build; . env.sh"
)


def ros2_launch(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["ros2", "launch", "hop_policy", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL
    )


def segments(pid: int) -> set[str]:
    """Return the names of the DDS segments that a process has created and mapped."""
    try:
        maps = psutil.Process(pid).memory_maps(grouped=True)
    except psutil.Error:
        return set()
    names = {Path(each.path).name for each in maps if each.path.startswith(str(SHARED_MEMORY))}
    return {name for name in names if name.startswith("fastrtps_")}


@pytest.fixture
def graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """The running graph of an untrained policy on a twin of its own; killed after the test."""
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN))
    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "log"))
    with (tmp_path / "launch.out").open("wb") as out:
        process = subprocess.Popen(
            ["ros2", "launch", "hop_policy", "deploy.launch.py", *ARGUMENTS],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield process
    for each in family(process.pid):
        each.kill()
    process.wait()


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all below it, as far as they run."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def is_gone(process: psutil.Process) -> bool:
    """Return whether a process has ended; one that nobody has waited for yet has."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("name", ["deploy.launch.py", "record.launch.py"])
def test_show_args_names_every_argument(name: str) -> None:
    result = ros2_launch(name, "--show-args")
    assert result.returncode == 0
    names = "robot lab policy execute speed_scale record task duration config_dir twin_address seed"
    for argument in names.split():
        assert f"    '{argument}':\n" in result.stdout


def test_a_real_robot_without_a_description_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOP_LAB", raising=False)
    result = ros2_launch("deploy.launch.py", "robot:=real")
    assert result.returncode != 0
    assert "Pass lab:=NAME or set HOP_LAB" in result.stdout + result.stderr


@pytest.mark.parametrize("robot", ["real", "twin"])
def test_a_lab_that_nobody_described_starts_nothing(robot: str) -> None:
    result = ros2_launch("deploy.launch.py", f"robot:={robot}", "lab:=nowhere")
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert "lab:=nowhere has no description: no configuration 'robots/nowhere.yaml'" in said
    assert "process started" not in said


def test_a_task_without_a_shipped_policy_needs_one() -> None:
    result = ros2_launch("deploy.launch.py", "robot:=twin", "task:=juggle")
    assert result.returncode != 0
    assert "no policy is shipped for the task 'juggle'" in result.stdout + result.stderr


def test_a_policy_for_recording_by_hand_is_refused() -> None:
    result = ros2_launch("record.launch.py", "robot:=twin", "policy:=runs/lift")
    assert result.returncode != 0
    assert "record.launch.py runs no policy" in result.stdout + result.stderr


def test_random_weights_move_no_real_robot() -> None:
    result = ros2_launch("deploy.launch.py", "robot:=real", "lab:=example", "policy:=untrained")
    assert result.returncode != 0
    assert "only in shadow mode; add execute:=false" in result.stdout + result.stderr
    assert "process started" not in result.stdout + result.stderr


@pytest.mark.ros
@pytest.mark.parametrize(
    "end",
    [
        "SIGTERM",
        "terminal closed",
        "node killed",
        pytest.param("SIGINT", marks=pytest.mark.slow),
        pytest.param("launcher killed", marks=pytest.mark.slow),
    ],
)
def test_nothing_is_left_behind(graph: subprocess.Popen[bytes], tmp_path: Path, end: str) -> None:
    def nodes() -> list[psutil.Process]:
        return [each for each in family(graph.pid)[1:] if segments(each.pid)]

    said = (tmp_path / "launch.out").read_text
    assert wait_until(lambda: len(nodes()) == NODES or graph.poll() is not None, 80.0), said()
    time.sleep(2.5)  # the nodes know each other, and their segments are no longer new
    members = family(graph.pid)[1:]
    own = {name for each in members for name in segments(each.pid) if "_port" not in name}
    assert own
    if end == "node killed":
        (policy,) = (each for each in members if "policy_node" in " ".join(each.cmdline()))
        policy.kill()
    elif end == "launcher killed":
        graph.kill()
    elif end == "terminal closed":
        os.killpg(graph.pid, signal.SIGHUP)
    else:
        graph.send_signal(signal.Signals[end])
    assert graph.wait(30) != 0
    assert wait_until(lambda: all(is_gone(each) for each in members), 20.0), said()
    assert [name for name in sorted(own) if (SHARED_MEMORY / name).exists()] == []


@pytest.mark.ros
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_live_evaluation_takes_its_graph_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(DOMAIN + 1))
    cell = shutil.copytree(config_path("safety.yaml").parent, tmp_path / "config") / "robots"
    twin = (cell / "twin.yaml").read_text().replace("127.0.0.1", f"{NET}.80")
    (cell / "twin.yaml").write_text(twin)
    monkeypatch.setenv("HOP_CONFIG_DIR", str(cell.parent))
    command = ["hop", "eval", "--live", "--rollouts", "3"]
    with (tmp_path / "eval.out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        said = (tmp_path / "eval.out").read_text
        assert wait_until(lambda: len(family(process.pid)) > NODES, 40.0), said()
        time.sleep(5.0)
        members = family(process.pid)[1:]
        process.send_signal(number)
        assert process.wait(30) != 0
        assert wait_until(lambda: all(is_gone(each) for each in members), 20.0), said()
    finally:
        process.kill()  # its graph goes with it


@pytest.mark.ros
@pytest.mark.slow
def test_two_twins_run_side_by_side(tmp_path: Path) -> None:
    """Another loopback address and another domain are all that a second one needs."""
    launches = []
    for number in range(2):
        report = tmp_path / f"{number}.json"
        options = [f"twin_address:={NET}.{78 + number}", f"report:={report}", "duration:=8.0"]
        command = ["ros2", "launch", "hop_policy", "deploy.launch.py", *ARGUMENTS[:2], *options]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN + number)}
        launch = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
        launches.append((launch, report))
    try:
        for launch, report in launches:
            assert launch.wait(90) == 0
            assert json.loads(report.read_text())["targets"] > 0
    finally:
        for launch, _ in launches:
            launch.kill()
