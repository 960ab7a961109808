"""The hand-object track: one hand's keypoints and one object's pose over a table, frame by frame.

Its *table frame* has z up and its origin on the table top. Metres; stamps in ns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from pydantic import Field

from hop_core.config import Config
from hop_sim.tracks.quality import Quality

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,119}$"


class Intrinsics(Config):
    """A pinhole camera, in pixels of an image of `width` x `height`."""

    fx: float = Field(gt=0.0)
    fy: float = Field(gt=0.0)
    cx: float
    cy: float
    width: int = Field(gt=0)
    height: int = Field(gt=0)


class TrackMeta(Config):
    """Where a track comes from and how good it is.

    Attributes:
        source: data set or generator.
        subject: whose hand; empty where that is not known: the track is then of a group of its own.
        scale_source: what its metres rest on.
        synthetic: whether it was made and not seen.
        time_scale: how much slower than seen it is to be played, so that speed limits hold.
        settings: hash of the configuration it was made with.
        quality: measured when it was made.
        provenance: the source's own names and figures.
        handled: whether the hand handles the object; if not, it keeps away from it.
    """

    source: str = Field(min_length=1)
    subject: str
    scale_source: str = Field(min_length=1)
    synthetic: bool
    time_scale: float = Field(ge=1.0)
    settings: str
    quality: Quality
    provenance: dict[str, str | int | float] = Field(default_factory=dict)
    handled: bool = True


@dataclass(frozen=True)
class Track:
    """A right hand and the object that it handles or, as a control, keeps away from; T frames.

    Attributes:
        name: unique, fit for a file name.
        object_name: tracks with the same name show the same object.
        stamps_ns: (T,) int64, increasing.
        keypoints_m: (T, 21, 3) float32 in the table frame; any value where not `valid`.
        valid: (T,) bool: hand and object are known, seen or interpolated over a short gap.
        object_points_m: (P, 3) float32 on the object's surface, in the object's frame.
        T_table_object: (T, 4, 4) float64; any value where not `valid`.
        meta: origin and quality.
        intrinsics: of the camera; None if unknown.
        T_table_cam: (4, 4) of the camera's optical frame; None if unknown.
    """

    name: str
    object_name: str
    stamps_ns: np.ndarray
    keypoints_m: np.ndarray
    valid: np.ndarray
    object_points_m: np.ndarray
    T_table_object: np.ndarray
    meta: TrackMeta
    intrinsics: Intrinsics | None = None
    T_table_cam: np.ndarray | None = None

    @cached_property
    def digest(self) -> str:
        """16 hex digits that identify hand, object and how they move."""
        digest = hashlib.sha256(self.object_name.encode())
        for array in (self.stamps_ns, self.valid, self.keypoints_m, self.object_points_m):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(np.ascontiguousarray(self.T_table_object).tobytes())
        return digest.hexdigest()[:16]

    @cached_property
    def stamps_s(self) -> np.ndarray:
        """(T,) time since the first frame [s]."""
        return np.asarray((self.stamps_ns - self.stamps_ns[0]) * 1e-9)

    @cached_property
    def fps(self) -> float:
        """Frames per second, by the median distance of the stamps."""
        return float(1.0 / np.median(np.diff(self.stamps_s)))

    @cached_property
    def stretch(self) -> slice:
        """The longest stretch of valid frames, the first of equals; empty if none is valid."""
        return longest_run(self.valid)


def longest_run(flags: np.ndarray) -> slice:
    """Return the longest run of true values of `flags` (T,), the first of equals."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return slice(0, 0)
    longest = int(np.argmax(ends - starts))
    return slice(int(starts[longest]), int(ends[longest]))
