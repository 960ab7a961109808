"""How fast a track is played: as it was seen, but slower where the hand is faster than the robot.

A robot that follows a palm must keep the speeds of its joints; a person reaches at 1.7 m/s. So time
is stretched by the ratio of the palm's speed to the allowed one where that is more than 1, also a
little before and after. The path stays the same, and slow parts, such as a grasp, keep their pace.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hop_core.errors import TrackError
from hop_sim.tracks.config import FilterConfig
from hop_sim.tracks.keypoints import MIDDLE_KNUCKLE, palm_frames
from hop_sim.tracks.smoothing import operator, smooth_points
from hop_sim.tracks.structure import FEWEST_FRAMES
from hop_sim.tracks.track import Track

_HZ = 60.0  # speeds are looked for on a finer grid than the policy's


@dataclass(frozen=True)
class Pace:
    """When what was seen is played, and how fast the hand was; M times.

    Attributes:
        seen_s: (M,) times in the longest valid stretch of a track, since the track's first frame.
        played_s: (M,) when they are played, from 0.
        palm_speed_m_s: (M,) of the smoothed middle knuckle as seen.
        palm_turn_rad_s: (M,) of the palm as seen.
    """

    seen_s: np.ndarray
    played_s: np.ndarray
    palm_speed_m_s: np.ndarray
    palm_turn_rad_s: np.ndarray

    @property
    def time_scale(self) -> float:
        """How many times longer it is played than it took."""
        return float(self.played_s[-1] / (self.seen_s[-1] - self.seen_s[0]))


def pace(track: Track, filters: FilterConfig) -> Pace:
    """Return the pace at which the palm keeps `filters.palm_speed_m_s` and `palm_turn_rad_s`.

    Raises:
        TrackError: no stretch of valid frames is long enough to fit a polynomial through.
    """
    stamps_s = stretch_stamps(track)
    seen_s = np.linspace(stamps_s[0], stamps_s[-1], _count(stamps_s))
    smooth = operator(stamps_s, seen_s, filters)
    hand = smooth_points(smooth, track.keypoints_m[track.stretch].astype(np.float64))
    step_s = float(seen_s[1] - seen_s[0])
    speed = np.linalg.norm(np.diff(hand[:, MIDDLE_KNUCKLE], axis=0), axis=1) / step_s
    frames = palm_frames(hand)
    turned = np.swapaxes(frames[:-1], 1, 2) @ frames[1:]
    cosine = 0.5 * (np.trace(turned, axis1=1, axis2=2) - 1.0)
    turn = np.arccos(np.clip(cosine, -1.0, 1.0)) / step_s
    # fmax: a hand without a palm turns by NaN; the checks refuse it later, by its measures.
    slower = np.fmax(speed / filters.palm_speed_m_s, turn / filters.palm_turn_rad_s)
    slower = _eased(np.fmax(slower, 1.0), filters.pace_window_s / step_s)
    return Pace(
        seen_s=seen_s,
        played_s=np.concatenate([[0.0], np.cumsum(slower * step_s)]),
        palm_speed_m_s=np.append(speed, speed[-1]),
        palm_turn_rad_s=np.append(turn, turn[-1]),
    )


def stretch_stamps(track: Track) -> np.ndarray:
    """Return the times of the longest valid stretch (n,) [s].

    Raises:
        TrackError: it is too short to fit a polynomial through.
    """
    stamps_s = np.asarray(track.stamps_s[track.stretch])
    if len(stamps_s) < FEWEST_FRAMES:
        raise TrackError(
            f"{track.name}: valid: the longest stretch of valid frames has {len(stamps_s)} frames, "
            f"at least {FEWEST_FRAMES} are needed"
        )
    return stamps_s


def _count(stamps_s: np.ndarray) -> int:
    return max(2, int((stamps_s[-1] - stamps_s[0]) * _HZ))


def _eased(factor: np.ndarray, window: float) -> np.ndarray:
    """`factor` (M,), nowhere less than it was, changing over `window` steps."""
    width = 2 * int(window / 2) + 1
    for reduce in (np.max, np.mean):
        padded = np.pad(factor, width // 2, mode="edge")
        factor = reduce(sliding_window_view(padded, width), axis=1)
    return np.asarray(factor)
