"""What a tracker with errors would have seen of a hand and an object that were made up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_sim.tracks.assemble import Sighting
from hop_sim.tracks.synthetic.config import NoiseConfig, SyntheticConfig
from hop_sim.tracks.synthetic.course import drift, small_poses
from hop_sim.tracks.synthetic.hand import Hand


@dataclass(frozen=True)
class Course:
    """Where hand and object truly are, T frames.

    Attributes:
        time_s: (T,).
        T_table_palm: (T, 4, 4).
        tips_m: (T, 5, 3) in the palm's frame.
        T_table_object: (T, 4, 4).
    """

    time_s: np.ndarray
    T_table_palm: np.ndarray
    tips_m: np.ndarray
    T_table_object: np.ndarray


def sighting(
    course: Course,
    cloud: np.ndarray,
    hand: Hand,
    config: SyntheticConfig,
    rng: np.random.Generator,
) -> Sighting:
    """Return what is seen of `course`, in all frames; the bones keep their lengths.

    Args:
        course: of `hand` and object.
        cloud: (P, 3) points on the object's surface, in its frame.
        hand: whose keypoints are seen.
        config: frame rate and errors.
        rng: draws.
    """
    everywhere = np.ones(len(course.time_s), dtype=bool)
    seen = _with_errors(course, config.noise, config.fps, rng)
    return Sighting(
        stamps_ns=np.round(course.time_s * 1e9).astype(np.int64),
        keypoints_m=hand.keypoints_m(seen.T_table_palm, seen.tips_m),
        hand_seen=everywhere,
        T_table_object=seen.T_table_object,
        object_seen=everywhere,
        object_points_m=cloud,
    )


def _with_errors(
    course: Course, noise: NoiseConfig, fps: float, rng: np.random.Generator
) -> Course:
    count = len(course.time_s)
    slow = drift(count, 6, 1.0 / fps, noise.drift_s, rng)
    fast = rng.standard_normal((count, 6))
    hand = small_poses(
        noise.drift_m * slow[:, :3] + noise.shake_m * fast[:, :3],
        np.radians(noise.drift_deg * slow[:, 3:] + noise.shake_deg * fast[:, 3:]),
    )
    still = rng.standard_normal((count, 6))
    thing = small_poses(noise.object_m * still[:, :3], np.radians(noise.object_deg * still[:, 3:]))
    tips_m = course.tips_m + noise.tip_m * rng.standard_normal(course.tips_m.shape)
    return Course(course.time_s, course.T_table_palm @ hand, tips_m, course.T_table_object @ thing)
