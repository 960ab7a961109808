"""What a store says of itself, in the attributes of its Zarr group."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import Field

from hop_core.config import Config, validate
from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_core.errors import ConfigError, TrajectoryError

ATTRIBUTE = "hop_trajectories"
_SOFTWARE = ("hop_sim", "mujoco", "numpy", "zarr")
_DECIDED_BY = {  # in a store that retargeting made, where a hash tells a person nothing
    "retarget_engine": " (of --attempts and retarget_engine.yaml)",
    "retarget": " (of retarget.yaml)",
    "thinned": " (of hop trajectories thin)",
    "safety": " (of safety.yaml)",
    "track_filters": " (of tracks.yaml)",
}
_PAIRING = "the label of the observation in frame k - 1 is the target in frame k"


class StoreHeader(Config):
    """What all trajectories of a store share.

    Attributes:
        joint_names: order of the 23 columns of q, q_raw and q_target.
        rate_hz: of the frames.
        frame: of all positions but those in the object's frame.
        pairing: which target answers which observation, in words.
        settings: hashes of the configurations that made the trajectories, by name; stores are
            continued and merged only where they agree.
        software: versions at creation.
        provenance: what else is worth keeping.
    """

    joint_names: tuple[str, ...]
    rate_hz: float = Field(gt=0.0)
    frame: str = "base_link"
    pairing: str = _PAIRING
    settings: dict[str, str]
    software: dict[str, str]
    provenance: dict[str, str | int | float | bool] = Field(default_factory=dict)


def make_header(
    settings: Mapping[str, str], provenance: Mapping[str, str | int | float | bool] | None = None
) -> StoreHeader:
    """Return the header of a new store of this robot, at the policy's rate.

    Args:
        settings: hashes of the configurations in use, by name.
        provenance: what else is worth keeping.
    """
    return StoreHeader(
        joint_names=JOINT_NAMES,
        rate_hz=load_embodiment().rates.policy_hz,
        settings=dict(settings),
        software=software_versions(),
        provenance=dict(provenance or {}),
    )


def software_versions() -> dict[str, str]:
    """Return the versions of what decides what is stored, by name."""
    return {
        "python": platform.python_version(),
        **{name: _version(name) for name in _SOFTWARE},
    }


def parse_header(attributes: Mapping[str, Any], where: str) -> StoreHeader:
    """Return the header among the attributes of a Zarr group; `where` names it in errors.

    Raises:
        TrajectoryError: it is missing, damaged, or of another robot.
    """
    values = attributes.get(ATTRIBUTE)
    if not isinstance(values, dict):
        raise TrajectoryError(f"{where}: attribute {ATTRIBUTE}: is missing; copy the store again")
    try:
        header = validate(values, StoreHeader, where)
    except ConfigError as error:
        raise TrajectoryError(str(error)) from error
    if header.joint_names != JOINT_NAMES:
        raise TrajectoryError(f"{where}: joint_names: are not this robot's: {header.joint_names}")
    return header


def require_same(header: StoreHeader, other: StoreHeader, where: str, other_where: str) -> None:
    """Pass if two stores, or a store and a run, were made by the same settings.

    Raises:
        TrajectoryError: naming the setting that differs.
    """
    if header.rate_hz != other.rate_hz:
        raise TrajectoryError(
            f"{where}: rate_hz: is {header.rate_hz:g}, {other_where} has {other.rate_hz:g}"
        )
    for name in sorted({*header.settings, *other.settings}):
        mine, its = header.settings.get(name, "none"), other.settings.get(name, "none")
        if mine != its:
            raise TrajectoryError(
                f"{where}: settings: '{name}'{_DECIDED_BY.get(name, '')} is {mine}, {other_where} "
                f"has {its}; what was made by different settings goes into different stores"
            )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
