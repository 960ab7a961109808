"""Checks that `hop doctor` plugs in: contract and camera, recorder and disk, shipped policy.

Nothing here imports torch.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import yaml

from hop_core.config import config_path, load_config, validate
from hop_core.errors import CheckpointError, ConfigError
from hop_core.health import DoctorContext, Finding, Health
from hop_core.robot_config import CameraPose
from hop_policy.bag_files import MB
from hop_policy.cameras import CAMERA_UNKNOWN, require_camera
from hop_policy.checkpoint_files import CONFIG, WEIGHTS
from hop_policy.contract import PolicyContract, load_contract
from hop_policy.recorder_config import RecorderConfig
from hop_policy.shipped import SHIPPED_TASK, shipped_policy

_ROOMY = 10  # times min_free_mb: room for a day of recording
_COPY = "take a complete copy of the workspace and make build, or pass policy:=PATH to launch"
_OWN = "pass policy:=PATH of one that was finetuned for this cell to launch"
_MEND = "mend that file, or pass --config-dir"


def check(context: DoctorContext) -> Iterable[Finding]:
    """Return the findings about the policy's contract, the recorder and the shipped policy."""
    yield contract(context)
    yield from recorder(context)
    yield shipped(context)


def contract(context: DoctorContext) -> Finding:
    """Return whether policy.yaml is valid and its crop fits into the robot's camera image."""
    try:
        wanted = load_contract(context.config_dir)
        if context.cell is not None and wanted.vision == "depth":
            camera = context.cell.camera
            focal, (cx, cy) = camera.focal_px, camera.center_px
            wanted.depth.crop(camera.width, camera.height, focal, focal, cx, cy)
    except ConfigError as error:
        return Finding("policy.yaml", Health.MISS, str(error), _MEND)
    return Finding("policy.yaml", Health.OK, f"contract {wanted.hash}, vision {wanted.vision}")


def recorder(context: DoctorContext) -> list[Finding]:
    """Return whether recorder.yaml is valid and its disk has room and may be written to."""
    try:
        path = config_path("recorder.yaml", context.config_dir)
        config = load_config(path, RecorderConfig)
    except ConfigError as error:
        return [Finding("recorder.yaml", Health.MISS, str(error), _MEND)]
    valid = Finding("recorder.yaml", Health.OK, str(path))
    return [valid, disk(config.folder(), config.min_free_mb)]


def disk(folder: Path, min_free_mb: int) -> Finding:
    """Return whether recordings can be written to `folder`, which need not exist yet."""
    present = next(path for path in (folder, *folder.parents) if path.exists())
    free_mb = shutil.disk_usage(present).free // MB
    found = f"{free_mb} MB free for {folder}"
    if not os.access(present, os.W_OK):
        fix = "change recorder.yaml's root, or the folder's owner"
        return Finding("disk for recordings", Health.MISS, f"{present} is read-only", fix)
    fix = f"free space or change recorder.yaml's root; recordings end below {min_free_mb} MB"
    if free_mb < min_free_mb:
        return Finding("disk for recordings", Health.MISS, found, fix)
    if free_mb < _ROOMY * min_free_mb:
        return Finding("disk for recordings", Health.WARN, found, fix)
    return Finding("disk for recordings", Health.OK, found)


def shipped(context: DoctorContext) -> Finding:
    """Return whether the policy that a launch takes by default is there and fits this cell."""
    name = "shipped policy"
    try:
        path = shipped_policy(SHIPPED_TASK)
        missing = [file for file in (WEIGHTS, CONFIG) if not (path / file).is_file()]
        if missing:
            raise CheckpointError(f"{path} lacks {', '.join(missing)}")
        made_for, cameras = made_with(path / CONFIG)
    except (CheckpointError, ConfigError) as error:
        return Finding(name, Health.MISS, str(error), _COPY)
    try:
        load_contract(context.config_dir, made_for.vision).require_equal(made_for, str(path))
    except ConfigError as error:
        return Finding(name, Health.MISS, str(error), _MEND)
    except CheckpointError as error:
        return Finding(name, Health.WARN, str(error), _OWN)
    if context.cell is not None and made_for.vision == "depth":
        if not cameras:
            return Finding(name, Health.WARN, f"{path} {CAMERA_UNKNOWN}", _COPY)
        try:
            require_camera(cameras, context.cell.camera, str(path))
        except CheckpointError as error:
            return Finding(name, Health.WARN, str(error), _OWN)
    return Finding(name, Health.OK, f"{path}, vision {made_for.vision}")


def made_with(file: Path) -> tuple[PolicyContract, tuple[CameraPose, ...]]:
    """Return the contract in a checkpoint's configuration, and where its cameras stood.

    Raises:
        CheckpointError: the file does not tell them.
        ConfigError: it breaks a rule.
    """
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
        contract, cameras = values["contract"], tuple(values.get("cameras", ()))
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{file} does not tell what it was made with ({error}); copy it again"
        ) from error
    poses = tuple(validate(each, CameraPose, str(file)) for each in cameras)
    return validate(contract, PolicyContract, str(file)), poses
