"""The examination behind `hop doctor`: hop_core's own checks and those that packages plug in."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hop_core import doctor_machine, doctor_robot, doctor_software
from hop_core.cli import verbs
from hop_core.errors import HopError, denied
from hop_core.health import CHECK_GROUP, Check, DoctorContext, Finding, Health
from hop_core.robot_config import load_robot


def context_of(robot: str, config_dir: Path | None) -> DoctorContext:
    """Return the context of the robot called `robot`; an unusable overlay is a finding later."""
    try:
        return DoctorContext(robot, config_dir, load_robot(robot, config_dir))
    except HopError:  # doctor_robot.configurations says why
        return DoctorContext(robot, config_dir)


def examine(context: DoctorContext) -> list[Finding]:
    """Return the findings of hop_core's checks and of all that are plugged in."""
    findings: list[Finding] = []
    for own in (doctor_machine.check, doctor_software.check, doctor_robot.check):
        findings += own(context)
    for name, entry in verbs(CHECK_GROUP).items():
        try:
            plugged: Check = entry.load()
        except ImportError as error:
            findings.append(_broken(name, error))
            continue
        findings += _run(name, plugged, context)
    return findings


def _run(name: str, plugged: Check, context: DoctorContext) -> Iterable[Finding]:
    try:
        return list(plugged(context))
    except HopError as error:
        return [_broken(name, error)]
    except PermissionError as error:
        return [Finding(f"checks of {name}", Health.MISS, denied(error), "change its owner")]


def _broken(name: str, error: Exception) -> Finding:
    return Finding(f"checks of {name}", Health.MISS, str(error), "make build")
