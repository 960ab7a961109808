"""Checks of what is installed: packages, ROS 2 with its DDS settings, the ZED's Python API.

Nothing is imported: a package is known by its metadata, a module by its place.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hop_core.config import share_folders
from hop_core.health import DoctorContext, Finding, Health

APT_ROS = Path("/opt/ros/jazzy/setup.bash")
RMW = "rmw_fastrtps_cpp"
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;#]+)")
_SOURCE_ENV = "source the workspace: . env.sh"
# Source: ROS 2 documentation, "The ROS_DOMAIN_ID": free of Linux's ephemeral ports; the last one.
_SAFE_DOMAIN, _LAST_DOMAIN = 101, 232


def check(context: DoctorContext) -> Iterable[Finding]:
    """Return the findings about installed software and the environment."""
    return [
        *packages(requirements_folder(), APT_ROS.exists()),
        ros_library(),
        *dds(os.environ),
        ros2_command(),
        workspace(os.environ),
        pyzed(context),
    ]


def requirements_folder() -> Path:
    """Return the folder of the pinned requirements: installed, or in the source tree."""
    folders = [share / "requirements" for share in share_folders("hop_core")]
    return next(
        (folder for folder in folders if folder.is_dir()),
        Path(__file__).resolve().parents[3] / "requirements",
    )


def packages(folder: Path, ros_from_apt: bool) -> list[Finding]:
    """Return whether the packages pinned in `folder` are installed, as pinned or newer.

    The tools of tests and checks (dev.txt) are not needed to run anything; the ROS wheels are not
    needed where ROS comes from apt.
    """
    wanted = ("base", "torch") if ros_from_apt else ("base", "torch", "ros")
    good, bad = 0, []
    for file in (folder / f"{name}.txt" for name in wanted):
        try:
            pins = read_pins(file)
        except OSError as error:
            found = f"{file}: {error.strerror}"
            return [Finding("Python packages", Health.WARN, found, "make build")]
        for name, pin in pins.items():
            problem = _package(name, pin, f"pip install -r {file}")
            if problem is None:
                good += 1
            else:
                bad.append(problem)
    summary = Finding("Python packages", Health.OK, f"{good} as pinned or newer")
    return [*([summary] if good else []), *bad]


def read_pins(file: Path) -> dict[str, str]:
    """Return {package: version} of a requirements file whose lines read `name==version`.

    Raises:
        OSError: the file cannot be read.
    """
    lines = file.read_text(encoding="utf-8").splitlines()
    matches = (_REQUIREMENT.match(line.strip()) for line in lines)
    return {match[1]: match[2] for match in matches if match}


def _package(name: str, pin: str, fix: str) -> Finding | None:
    """Return what is wrong with an installed package; None if nothing is."""
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(f"package {name}", Health.MISS, "not installed", fix)
    if release(found) < release(pin):
        return Finding(f"package {name}", Health.WARN, f"{found}, older than {pin}", fix)
    return None


def release(text: str) -> tuple[int, ...]:
    """Return the numbers of a version's release: (2, 13, 0) of "2.13.0+cpu"."""
    match = re.match(r"\d+(?:\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def ros_library() -> Finding:
    """Return whether rclpy is there, and from where."""
    spec = importlib.util.find_spec("rclpy")
    if spec is None or spec.origin is None:
        return Finding("ROS 2", Health.MISS, "no rclpy", f"make build, then {_SOURCE_ENV}")
    kind = "apt" if Path("/opt/ros") in Path(spec.origin).parents else "wheels"
    return Finding("ROS 2", Health.OK, f"rclpy from {kind} in {Path(spec.origin).parent}")


def dds(environment: Mapping[str, str]) -> list[Finding]:
    """Return whether the DDS settings in `environment` are those that were measured."""
    return [
        _middleware(environment.get("RMW_IMPLEMENTATION", "")),
        _profile(environment.get("FASTRTPS_DEFAULT_PROFILES_FILE", "")),
        _domain(environment.get("ROS_DOMAIN_ID", "")),
        _discovery(environment),
    ]


def _middleware(name: str) -> Finding:
    if name in ("", RMW):
        return Finding("ROS middleware", Health.OK, name or f"{RMW} (the default)")
    fix = f"export RMW_IMPLEMENTATION={RMW}: profile and QoS are made for it"
    return Finding("ROS middleware", Health.WARN, name, fix)


def _profile(file: str) -> Finding:
    if not file:
        found = "FASTRTPS_DEFAULT_PROFILES_FILE is not set: images get lost, discovery takes long"
        return Finding("DDS profile", Health.WARN, found, _SOURCE_ENV)
    if not Path(file).is_file():
        fix = f"unset FASTRTPS_DEFAULT_PROFILES_FILE, then {_SOURCE_ENV}"
        return Finding("DDS profile", Health.MISS, f"{file} does not exist", fix)
    return Finding("DDS profile", Health.OK, file)


def _domain(text: str) -> Finding:
    fix = f"export ROS_DOMAIN_ID= with a number from 0 to {_SAFE_DOMAIN}"
    if text and not text.isdecimal():
        return Finding("ROS domain", Health.MISS, f"ROS_DOMAIN_ID is '{text}', no number", fix)
    domain = int(text or 0)
    if domain > _LAST_DOMAIN:
        return Finding("ROS domain", Health.MISS, f"{domain} is too high", fix)
    if domain > _SAFE_DOMAIN:
        return Finding("ROS domain", Health.WARN, f"{domain} shares Linux's ephemeral ports", fix)
    return Finding("ROS domain", Health.OK, str(domain))


def _discovery(environment: Mapping[str, str]) -> Finding:
    if environment.get("ROS_LOCALHOST_ONLY", "0") == "1":
        found, fix = "ROS_LOCALHOST_ONLY overrides the range", "unset ROS_LOCALHOST_ONLY"
        return Finding("DDS discovery", Health.WARN, found, fix)
    reach = environment.get("ROS_AUTOMATIC_DISCOVERY_RANGE", "")
    if reach == "LOCALHOST":
        return Finding("DDS discovery", Health.OK, "this machine only")
    if reach == "SUBNET":
        return Finding("DDS discovery", Health.OK, "the local network: anyone there can command")
    found = f"ROS_AUTOMATIC_DISCOVERY_RANGE is {reach or 'not set'}"
    return Finding("DDS discovery", Health.WARN, found, _SOURCE_ENV)


def ros2_command() -> Finding:
    """Return whether the `ros2` command is on the path."""
    path = shutil.which("ros2")
    if path is None:
        return Finding("ros2 command", Health.MISS, "not on the path", _SOURCE_ENV)
    return Finding("ros2 command", Health.OK, path)


def workspace(environment: Mapping[str, str]) -> Finding:
    """Return whether the built workspace is sourced, so that ros2 finds its packages."""
    for share in share_folders("hop_policy", environment):
        if (share / "launch").is_dir():
            return Finding("workspace", Health.OK, str(share))
    return Finding("workspace", Health.MISS, "not sourced", f"make build, then {_SOURCE_ENV}")


def pyzed(context: DoctorContext) -> Finding:
    """Return whether `pyzed` is Stereolabs' package, and not the one of that name on PyPI.

    PyPI's `pyzed` is the client of a data lake; installed, it shadows the camera's.
    """
    get_it = "install the ZED SDK, then run its get_python_api.py with this Python"
    spec = importlib.util.find_spec("pyzed")
    needed = context.real and context.cell is not None and "pyzed" in context.cell.camera.sl_module
    if spec is None:
        if needed:
            return Finding("ZED Python API", Health.MISS, "not installed", get_it)
        return Finding("ZED Python API", Health.OK, "not installed; the twin brings its own")
    if spec.submodule_search_locations is None:
        health = Health.MISS if needed else Health.WARN
        found = f"{spec.origin} is PyPI's pyzed, which is not Stereolabs'"
        return Finding("ZED Python API", health, found, f"pip uninstall pyzed; {get_it}")
    return Finding("ZED Python API", Health.OK, str(next(iter(spec.submodule_search_locations))))
