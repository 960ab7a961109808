"""Tracks from `.npz` files of a plain layout, for lifting and for other data sets.

The layout is in docs/tracks.md. Frames with NaN are frames in which nothing was seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from hop_core.config import Config, config_hash, values_hash
from hop_core.errors import TrackError
from hop_sim.tracks.assemble import Origin, Sighting, assemble
from hop_sim.tracks.batch import Job
from hop_sim.tracks.config import TracksConfig
from hop_sim.tracks.keypoints import WRIST
from hop_sim.tracks.mesh import require_mesh, surface_points
from hop_sim.tracks.npz_layout import Arrays, intrinsics, read_recording, text
from hop_sim.tracks.rigid import transform
from hop_sim.tracks.structure import require_rigid
from hop_sim.tracks.table_frame import table_frame, up_vector
from hop_sim.tracks.track import Track


class NpzSettings(Config):
    """What decides how a file is imported.

    Attributes:
        tracks: filters, limits and points per object.
        up: direction up for files that do not say it; see `table_frame.up_vector`.
    """

    tracks: TracksConfig
    up: str = ""


def npz_jobs(path: Path, settings: NpzSettings) -> Iterator[Job]:
    """Yield a job for `path`, or for each `.npz` file of that folder.

    Raises:
        TrackError: there is no such file, one gives its track no name, or two give the same.
    """
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if not files:
        raise TrackError(f"{path}: holds no .npz file; check the path")
    taken: dict[str, Path] = {}
    for file in files:
        if not _name(file.stem):
            raise TrackError(f"{file}: its name has no letter or digit for the track; rename it")
        other = taken.setdefault(_name(file.stem), file)
        if other != file:
            raise TrackError(f"{file}: gives a track of the same name as {other}; rename one")
    for name, file in taken.items():
        yield Job(
            name, str(file), _fingerprint(file, settings), partial(import_npz, file, settings)
        )


def import_npz(path: Path, settings: NpzSettings) -> Track:
    """Return the track of one file.

    Raises:
        TrackError: naming file and field.
    """
    config, where = settings.tracks, str(path)
    arrays, stamps_ns = read_recording(path, config.limits)
    seen = arrays.get("valid", np.ones(len(stamps_ns), dtype=bool))
    hand_seen = seen & _finite(arrays["keypoints"])
    object_seen = _finite(arrays["object_poses"])
    require_rigid(arrays["object_poses"], object_seen, where, "object_poses")
    if not (hand_seen & object_seen).any():
        raise TrackError(f"{where}: keypoints: no frame shows both the hand and the object")
    points = _object_points(arrays, config, where)
    T_table_world = _table(arrays, settings.up, points, hand_seen, object_seen, where)
    camera = arrays.get("camera_poses")
    sighting = Sighting(
        stamps_ns=stamps_ns,
        keypoints_m=transform(T_table_world, _or_nan(arrays["keypoints"])),
        hand_seen=hand_seen,
        T_table_object=T_table_world @ _or_nan(arrays["object_poses"]),
        object_seen=object_seen,
        object_points_m=points,
        intrinsics=intrinsics(arrays, where),
        T_table_cam=None if camera is None else T_table_world @ camera[0].astype(np.float64),
    )
    name = _name(path.stem)
    origin = Origin(
        name=name,
        object_name=_name(text(arrays, "object_name", name, where)),
        source="npz",
        subject=text(arrays, "subject", "", where),
        scale_source=text(arrays, "scale_source", "metres of the file", where),
        settings=_fingerprint(path, settings),
        provenance={"file": path.name},
    )
    return assemble(sighting, origin, config, where)


def _fingerprint(file: Path, settings: NpzSettings) -> str:
    """Hash of settings and content: files of one name may be of different recordings."""
    try:
        content = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        content = ""  # which making the track will tell
    return values_hash({"settings": config_hash(settings), "file": content})


def _object_points(arrays: Arrays, config: TracksConfig, where: str) -> np.ndarray:
    """Points (P, 3) on the surface; without faces, vertices evenly drawn from all of them."""
    vertices, faces = arrays["object_vertices"], arrays.get("object_faces")
    if not len(vertices):
        raise TrackError(f"{where}: object_vertices: the object has no points")
    if faces is None:
        step = np.linspace(0, len(vertices) - 1, min(config.object_points, len(vertices)))
        return np.asarray(vertices[step.astype(np.int64)])
    require_mesh(vertices, faces, where)
    return surface_points(vertices, faces, config.object_points)


def _table(
    arrays: Arrays,
    up: str,
    points: np.ndarray,
    hand_seen: np.ndarray,
    object_seen: np.ndarray,
    where: str,
) -> np.ndarray:
    """T_table_world: the file's own, or from the direction up and the object's lowest point."""
    if "T_table_world" in arrays:
        return arrays["T_table_world"].astype(np.float64)
    poses = arrays["object_poses"][object_seen].astype(np.float64)
    if "up" in arrays:
        direction = arrays["up"].astype(np.float64)
    elif up:
        direction = up_vector(up, poses)
    else:
        raise TrackError(
            f"{where}: up: is missing; the world frame has no gravity: add up or T_table_world to "
            "the file, or give --up"
        )
    if not direction.any():
        raise TrackError(f"{where}: up: must not be 0, 0, 0")
    wrist = arrays["keypoints"][hand_seen, WRIST].astype(np.float64)
    return table_frame(direction, poses, points.astype(np.float64), wrist)


def _finite(array: np.ndarray) -> np.ndarray:
    """(T,) whether all of a frame of `array` (T, ., .) are numbers."""
    return np.asarray(np.isfinite(array).all(axis=(1, 2)))


def _or_nan(array: np.ndarray) -> np.ndarray:
    """`array` as float64, with NaN for infinity, which arithmetic would warn of."""
    return np.where(np.isfinite(array), array, np.nan).astype(np.float64)


def _name(text: str) -> str:
    """Return `text` fit for a file name, which begins with a letter or a digit."""
    fit = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "_" for c in text)
    return fit.lstrip("_.-")[:120]
