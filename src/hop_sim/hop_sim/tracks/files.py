"""Tracks on disk: `<name>.npz` with the arrays and `<name>.json` with the rest.

The JSON is written last and carries the checksum of the arrays: a track exists when it does, and
what a stopped run leaves is never taken for one.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import ValidationError

from hop_core.config import Config, first_problem
from hop_core.durable_files import replace_files
from hop_core.errors import TrackError, TrackWriteError
from hop_sim.tracks.npz import arrays_of, read_bytes
from hop_sim.tracks.structure import require_structure
from hop_sim.tracks.track import Intrinsics, Track, TrackMeta

FORMAT, VERSION = "hop-track", 1
_ARRAYS = ("stamps_ns", "keypoints_m", "valid", "object_points_m", "T_table_object")
_OPTIONAL = ("T_table_cam",)


class TrackFile(Config):
    """What `<name>.json` holds.

    Attributes:
        format, version: of the file.
        sha256: of `<name>.npz`.
        name, object_name, intrinsics, meta: the track's.
        frames, fps: of the arrays, for people.
    """

    format: Literal["hop-track"]
    version: Literal[1]
    sha256: str
    name: str
    object_name: str
    frames: int
    fps: float
    intrinsics: Intrinsics | None
    meta: TrackMeta


def save_track(track: Track, folder: Path) -> Path:
    """Write `track` into `folder`, both files beside and then renamed; return the JSON's path.

    Raises:
        TrackError: the track is not well-formed.
        TrackWriteError: the disk refuses.
    """
    path = folder / f"{track.name}.json"
    require_structure(track, str(path))
    arrays = {name: getattr(track, name) for name in (*_ARRAYS, *_OPTIONAL)}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: v for k, v in arrays.items() if v is not None})
    content = buffer.getvalue()
    about = TrackFile(
        format=FORMAT,
        version=VERSION,
        sha256=hashlib.sha256(content).hexdigest(),
        name=track.name,
        object_name=track.object_name,
        frames=len(track.stamps_ns),
        fps=round(track.fps, 3),
        intrinsics=track.intrinsics,
        meta=track.meta,
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = about.model_dump_json(indent=1) + "\n"
        replace_files(folder, {f"{track.name}.npz": content, path.name: text.encode()})
    except OSError as error:
        raise TrackWriteError(
            f"{path}: cannot be written: {error.strerror}; nothing of it is left, tracks that "
            "were there are whole: make room and run the same command again"
        ) from error
    return path


def load_track(path: Path) -> Track:
    """Return the track of `path`, its JSON or its npz.

    Raises:
        TrackError: a file is missing, damaged, of another version, or its arrays are not a track's.
    """
    about = read_about(path)
    arrays_path = _with_ending(path, ".npz")
    content = read_bytes(arrays_path)
    if hashlib.sha256(content).hexdigest() != about.sha256:
        raise TrackError(
            f"{arrays_path}: sha256: the arrays are not those of {about_path(path).name}"
            " (truncated or edited); import or generate the track again"
        )
    arrays = arrays_of(content, arrays_path, _ARRAYS, _OPTIONAL)
    track = Track(about.name, about.object_name, meta=about.meta, intrinsics=about.intrinsics,
                  **arrays)  # fmt: skip
    require_structure(track, str(arrays_path))
    return track


def read_about(path: Path) -> TrackFile:
    """Return the JSON of the track `path` alone, without its arrays.

    Raises:
        TrackError: it is missing, damaged or of another version.
    """
    json_path = about_path(path)
    try:
        about = TrackFile.model_validate_json(read_bytes(json_path))
    except ValidationError as error:
        raise TrackError(f"{json_path}: {first_problem(error)}") from error
    if about.name != json_path.name.removesuffix(".json"):
        raise TrackError(
            f"{json_path}: name: says '{about.name}'; a track's files carry its name, rename them"
        )
    return about


def about_path(path: Path) -> Path:
    """Return the JSON of the track `path`, its JSON or its npz."""
    return _with_ending(path, ".json")


def list_tracks(root: Path) -> list[Path]:
    """Return the JSON files of all tracks in `root` and the folders below it, sorted.

    Raises:
        TrackError: there is no such folder.
    """
    if not root.is_dir():
        raise TrackError(f"{root}: is no folder of tracks; check the path")
    return sorted(root.rglob("*.json"))


def _with_ending(path: Path, ending: str) -> Path:
    name = path.name.removesuffix(".npz").removesuffix(".json")
    return path.with_name(name + ending)
