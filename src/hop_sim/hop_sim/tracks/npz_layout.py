"""The plain `.npz` layout of recordings: what a file may hold, and whether it does.

Described for people in docs/tracks.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hop_core.errors import TrackError
from hop_sim.tracks.config import LimitConfig
from hop_sim.tracks.keypoints import KEYPOINTS
from hop_sim.tracks.npz import read_npz
from hop_sim.tracks.structure import (
    require_array,
    require_finite,
    require_rigid,
    require_stamps,
)
from hop_sim.tracks.track import Intrinsics

NEEDED = ("keypoints", "object_poses", "object_vertices")
OPTIONAL = (
    "object_faces", "fps", "stamps_ns", "valid", "side", "object_name", "subject", "scale_source",
    "up", "T_table_world", "camera_poses", "intrinsics",
)  # fmt: skip
Arrays = dict[str, np.ndarray]


def read_recording(path: Path, limits: LimitConfig) -> tuple[Arrays, np.ndarray]:
    """Return the arrays of `path` and its stamps (T,) [ns].

    Raises:
        TrackError: an array is missing, unknown, of another shape or type, or not finite where it
            must be; the hand is a left one; the camera moves.
    """
    arrays, where = read_npz(path, NEEDED, OPTIONAL), str(path)
    stamps_ns = _stamps(arrays, where)
    _require_shapes(arrays, len(stamps_ns), where)
    side = text(arrays, "side", "right", where)
    if side != "right":
        raise TrackError(f"{where}: side: is '{side}'; only right hands are used")
    _require_standing_camera(arrays, limits, where)
    if "valid" in arrays:
        require_finite(arrays["keypoints"], arrays["valid"], where, "keypoints")
    return arrays, stamps_ns


def _stamps(arrays: Arrays, where: str) -> np.ndarray:
    """Stamps (T,) [ns] from `stamps_ns` or `fps`, one of which there must be."""
    if ("stamps_ns" in arrays) == ("fps" in arrays):
        raise TrackError(f"{where}: fps: give either fps or stamps_ns")
    if "stamps_ns" in arrays:
        require_array(arrays["stamps_ns"], (None,), "iu", where, "stamps_ns")
        stamps = arrays["stamps_ns"].astype(np.int64)
    else:
        require_array(arrays["fps"], (), "fiu", where, "fps")
        fps = float(arrays["fps"])
        if not 0.0 < fps < np.inf:
            raise TrackError(f"{where}: fps: must be above 0, got {fps:g}")
        require_array(arrays["keypoints"], (None, KEYPOINTS, 3), "f", where, "keypoints")
        stamps = np.round(np.arange(len(arrays["keypoints"])) * 1e9 / fps).astype(np.int64)
    require_stamps(stamps, where)
    return stamps


def _require_shapes(arrays: Arrays, frames: int, where: str) -> None:
    shapes: dict[str, tuple[tuple[int | None, ...], str]] = {
        "keypoints": ((frames, KEYPOINTS, 3), "f"),
        "object_poses": ((frames, 4, 4), "f"),
        "object_vertices": ((None, 3), "f"),
        "object_faces": ((None, 3), "iu"),
        "valid": ((frames,), "b"),
        "up": ((3,), "f"),
        "T_table_world": ((4, 4), "f"),
        "camera_poses": ((frames, 4, 4), "f"),
        "intrinsics": ((6,), "fiu"),
    }
    for field, (shape, kind) in shapes.items():
        if field in arrays:
            require_array(arrays[field], shape, kind, where, field)
    for field in ("object_vertices", "up", "T_table_world", "camera_poses", "intrinsics"):
        if field in arrays:
            require_finite(arrays[field][None], np.ones(1, dtype=bool), where, field)
    for field in ("T_table_world", "camera_poses"):
        if field in arrays:
            poses = arrays[field].reshape(-1, 4, 4)
            require_rigid(poses, np.ones(len(poses), dtype=bool), where, field)


def _require_standing_camera(arrays: Arrays, limits: LimitConfig, where: str) -> None:
    if "camera_poses" not in arrays:
        return
    poses = arrays["camera_poses"].astype(np.float64)
    drift_m = np.linalg.norm(poses[:, :3, 3] - poses[0, :3, 3], axis=1).max()
    cosine = (np.einsum("ij,tij->t", poses[0, :3, :3], poses[:, :3, :3]) - 1.0) / 2.0
    drift_rad = np.arccos(np.clip(cosine, -1.0, 1.0)).max()
    if drift_m > limits.camera_drift_m or drift_rad > limits.camera_drift_rad:
        raise TrackError(
            f"{where}: camera_poses: the camera moves by {drift_m * 100:.1f} cm and "
            f"{np.degrees(drift_rad):.1f}°; only a standing camera is supported"
        )


def intrinsics(arrays: Arrays, where: str) -> Intrinsics | None:
    """Return the camera of a recording, None if the file does not say it.

    Raises:
        TrackError: it is no camera.
    """
    if "intrinsics" not in arrays:
        return None
    fx, fy, cx, cy, width, height = arrays["intrinsics"].astype(np.float64)
    if min(fx, fy) <= 0.0 or min(width, height) < 1.0:
        raise TrackError(f"{where}: intrinsics: must be fx, fy, cx, cy, width, height in pixels")
    return Intrinsics(fx=fx, fy=fy, cx=cx, cy=cy, width=int(width), height=int(height))


def text(arrays: Arrays, field: str, default: str, where: str) -> str:
    """Return the text `field` of a recording, or `default` if it is not there.

    Raises:
        TrackError: it is no text, or empty.
    """
    if field not in arrays:
        return default
    if arrays[field].ndim or arrays[field].dtype.kind != "U":
        raise TrackError(f"{where}: {field}: must be one text")
    if not (said := str(arrays[field])):
        raise TrackError(f"{where}: {field}: is empty; leave it out, or say what it is")
    return said
