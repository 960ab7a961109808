"""How different tracks are: each one's distance from the one most like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hop_sim.tracks.keypoints import KEYPOINTS, WRIST
from hop_sim.tracks.rigid import pose, rotation_about, transform
from hop_sim.tracks.track import Track

_TIMES = 24
_ROWS_AT_ONCE = 512
_UP = np.array([0.0, 0.0, 1.0])


def nearest_m(signatures: Sequence[np.ndarray]) -> np.ndarray:
    """Return (N,) rms distance per keypoint [m] from each track to the one most like it.

    A track whose copy is there too has 0, whatever became of the copy's place, direction and speed.

    Args:
        signatures: of N tracks.
    """
    rows = np.array(signatures)
    if len(rows) < 2:
        return np.full(len(rows), np.inf)
    squares = (rows**2).sum(axis=1)
    nearest = np.empty(len(rows))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        apart = squares[start : start + len(part), None] - 2.0 * part @ rows.T + squares
        apart[np.arange(len(part)), start + np.arange(len(part))] = np.inf
        nearest[start : start + len(part)] = apart.min(axis=1)
    return np.sqrt(np.maximum(nearest, 0.0) / (_TIMES * KEYPOINTS))


def signature(track: Track) -> np.ndarray:
    """Return (D,) what is compared of a track: keypoints at equal shares of its valid stretch.

    What retargeting draws anew is taken out: where on the table the object stands at first, and
    from which side the hand comes. The object is brought to the origin, and the hand to -x.
    """
    stamps_s = track.stamps_s[track.stretch]
    keypoints = track.keypoints_m[track.stretch].astype(np.float64)
    thing = track.T_table_object[track.stretch][0, :3, 3]
    aside = thing - keypoints[0, WRIST]
    turn = rotation_about(_UP, -np.arctan2(aside[1], aside[0]))
    moved = transform(pose(turn, -turn @ (thing * [1.0, 1.0, 0.0])), keypoints).reshape(
        len(stamps_s), -1
    )
    at_s = np.linspace(stamps_s[0], stamps_s[-1], _TIMES)
    return np.concatenate([np.interp(at_s, stamps_s, column) for column in moved.T])
