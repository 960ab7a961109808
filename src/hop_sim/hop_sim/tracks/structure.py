"""Whether arrays have a track's shapes, types and finite values; says what is wrong with them."""

from __future__ import annotations

import re

import numpy as np

from hop_core.errors import TrackError
from hop_sim.tracks.keypoints import KEYPOINTS, bone_lengths_m
from hop_sim.tracks.rigid import is_rigid
from hop_sim.tracks.track import NAME_PATTERN, Track

FEWEST_FRAMES = 4  # a local parabola and one more
_LEAST_BONE_M = 1e-6  # of a shorter one the direction is noise


def require_array(
    array: np.ndarray, shape: tuple[int | None, ...], kind: str, where: str, field: str
) -> None:
    """Refuse an array of another shape or kind.

    Args:
        array: what was read.
        shape: expected; None stands for any length.
        kind: allowed letters of numpy's dtype.kind, as in "f" or "iu".
        where: file, for the message.
        field: name of the array in that file.

    Raises:
        TrackError: naming file, field, what was expected and what was there.
    """
    fits = array.ndim == len(shape) and all(
        want in (None, got) for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise TrackError(f"{where}: {field}: shape must be ({wanted}), got {array.shape}")
    if array.dtype.kind not in kind:
        raise TrackError(f"{where}: {field}: type must be {_KINDS[kind]}, got {array.dtype}")


_KINDS = {"f": "floating point", "b": "boolean", "iu": "integer", "fiu": "numeric"}


def require_stamps(stamps_ns: np.ndarray, where: str) -> None:
    """Refuse stamps (T,) that are too few or do not increase.

    Raises:
        TrackError: naming the first frame that is wrong.
    """
    if len(stamps_ns) < FEWEST_FRAMES:
        raise TrackError(
            f"{where}: stamps_ns: a track needs at least {FEWEST_FRAMES} frames, got "
            f"{len(stamps_ns)}"
        )
    back = np.flatnonzero(np.diff(stamps_ns) <= 0)
    if len(back):
        raise TrackError(
            f"{where}: stamps_ns: must increase, but frame {back[0] + 1} is not later than the one "
            "before"
        )


def require_finite(array: np.ndarray, valid: np.ndarray, where: str, field: str) -> None:
    """Refuse NaN or infinity in the `valid` (T,) frames of `array` (T, ...).

    Raises:
        TrackError: naming the first such frame and how many there are.
    """
    bad = valid & ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
    if bad.any():
        raise TrackError(
            f"{where}: {field}: not a number in {bad.sum()} valid frames, first in frame "
            f"{np.argmax(bad)}; mark them as not valid or fill them"
        )


def require_rigid(T: np.ndarray, valid: np.ndarray, where: str, field: str) -> None:
    """Refuse matrices of `T` (T, 4, 4) that are no rotation and translation in `valid` frames.

    Raises:
        TrackError: naming the first such frame.
    """
    bad = valid.copy()
    bad[valid] = ~is_rigid(T[valid])
    if bad.any():
        raise TrackError(
            f"{where}: {field}: frame {np.argmax(bad)} is no rigid transform (rotation, "
            "translation in m, last row 0 0 0 1)"
        )


def require_bones(keypoints_m: np.ndarray, seen: np.ndarray, where: str) -> None:
    """Refuse keypoints (T, 21, 3) of which, in a frame that is `seen` (T,), two make no bone.

    Raises:
        TrackError: naming the first such frame.
    """
    bad = seen.copy()
    bad[seen] = (bone_lengths_m(keypoints_m[seen]) < _LEAST_BONE_M).any(axis=1)
    if bad.any():
        raise TrackError(
            f"{where}: keypoints: frame {np.argmax(bad)} has both ends of a bone in one point; "
            "call such a hand not seen, or give each joint a place of its own"
        )


def require_structure(track: Track, where: str) -> None:
    """Refuse a track whose arrays do not fit its description.

    Args:
        track: any.
        where: file, for the message.

    Raises:
        TrackError: the first fault, naming file and field.
    """
    for field, text in (("name", track.name), ("object_name", track.object_name)):
        if not re.fullmatch(NAME_PATTERN, text):
            raise TrackError(
                f"{where}: {field}: must be letters, digits, '_', '.', '-', at most 120, the first "
                f"a letter or a digit, got {text!r}"
            )
    frames = len(track.stamps_ns)
    require_array(track.stamps_ns, (None,), "iu", where, "stamps_ns")
    require_array(track.keypoints_m, (frames, KEYPOINTS, 3), "f", where, "keypoints_m")
    require_array(track.valid, (frames,), "b", where, "valid")
    require_array(track.object_points_m, (None, 3), "f", where, "object_points_m")
    require_array(track.T_table_object, (frames, 4, 4), "f", where, "T_table_object")
    require_stamps(track.stamps_ns, where)
    if not len(track.object_points_m):
        raise TrackError(f"{where}: object_points_m: the object has no points")
    everywhere = np.ones(1, dtype=bool)
    require_finite(track.object_points_m[None], everywhere, where, "object_points_m")
    require_finite(track.keypoints_m, track.valid, where, "keypoints_m")
    require_finite(track.T_table_object, track.valid, where, "T_table_object")
    require_rigid(track.T_table_object, track.valid, where, "T_table_object")
    if track.T_table_cam is not None:
        require_array(track.T_table_cam, (4, 4), "f", where, "T_table_cam")
        require_finite(track.T_table_cam[None], everywhere, where, "T_table_cam")
        require_rigid(track.T_table_cam[None], everywhere, where, "T_table_cam")
