"""Fixtures of the stand-ins' tests; where the real packages are, nothing here is tested."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import launch
import psutil
import pytest

ROS_LITE = Path(__file__).resolve().parents[1]
ROS2 = ROS_LITE / "bin" / "ros2"

collect_ignore_glob = []
if ROS_LITE not in Path(launch.__file__).parents:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(autouse=True)
def log_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep logs out of the home folder."""
    from launch import logging

    monkeypatch.setenv("ROS_LOG_DIR", str(tmp_path / "ros_log"))
    monkeypatch.setattr(logging, "launch_config", logging.LaunchConfig())
    return tmp_path / "ros_log"


@pytest.fixture
def run() -> Callable[..., int]:
    """Run entities in a launch service of their own; return its code."""

    def run_entities(*entities, **configurations: str) -> int:
        service = launch.LaunchService(noninteractive=True)
        service.context.launch_configurations.update(configurations)
        service.include_launch_description(launch.LaunchDescription(entities))
        return service.run()

    return run_entities


@pytest.fixture
def perform() -> Callable[..., str]:
    """Return what a substitution stands for."""

    def perform_substitution(substitution, **configurations: str) -> str:
        context = launch.LaunchContext()
        context.launch_configurations.update(configurations)
        return context.perform_substitution(substitution)

    return perform_substitution


@dataclass(frozen=True)
class Package:
    """An installed package `demo`."""

    prefix: Path

    @property
    def share(self) -> Path:
        """Share folder."""
        return self.prefix / "share" / "demo"

    def add_launch_file(self, name: str, entities: str) -> Path:
        """Write a launch file with a description of `entities`, a Python list without brackets."""
        path = self.share / "launch" / name
        path.write_text(
            "from launch import LaunchDescription\n"
            "from launch.actions import *\n"
            "from launch.substitutions import *\n"
            f"def generate_launch_description():\n    return LaunchDescription([{entities}])\n"
        )
        return path

    def add_executable(self, name: str, text: str) -> Path:
        """Write an executable Python script."""
        path = self.prefix / "lib" / "demo" / name
        path.write_text(f"#!{sys.executable}\n{text}")
        path.chmod(0o755)
        return path


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package `demo` on AMENT_PREFIX_PATH, without launch files and executables."""
    package = Package(tmp_path / "install")
    marker = package.prefix / "share" / "ament_index" / "resource_index" / "packages" / "demo"
    for folder in (marker.parent, package.share / "launch", package.prefix / "lib" / "demo"):
        folder.mkdir(parents=True)
    marker.touch()
    rest = os.environ.get("AMENT_PREFIX_PATH", "")
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{package.prefix}:{rest}".rstrip(":"))
    return package


@pytest.fixture
def ros2() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the ros2 command to its end."""

    def run_ros2(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROS2), *arguments],
            capture_output=True,
            text=True,
            timeout=60.0,
            stdin=subprocess.DEVNULL,
        )

    return run_ros2


@pytest.fixture
def wait_until() -> Callable[..., bool]:
    """Return whether a condition became true in time."""

    def wait(condition: Callable[[], bool], timeout_s: float = 40.0) -> bool:
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    return wait


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `ros2 launch ...`; whatever it leaves running is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, str(ROS2), "launch", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=(tmp_path / "launcher.out").open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
        process.wait()
