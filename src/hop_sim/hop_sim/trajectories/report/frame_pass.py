"""All that a report takes from the columns of frames/, each read once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import load_embodiment
from hop_sim.trajectories.report.histogram import Histogram
from hop_sim.trajectories.report.selection import Selection, among

SAMPLE_FRAMES = 20_000
"""Frames at most whose palm and object are looked at."""
JOINT_BINS = 2_000
_ERROR_BINS, _ERROR_TO_M = 2_000, 0.2  # bins of 0.1 mm
_MARGIN = 0.04


@dataclass(frozen=True)
class FramePass:
    """What was taken from the F frames of a selection of C trajectories.

    Attributes:
        frames: F.
        q: of the 23 joint angles [rad], order JOINT_NAMES.
        contact_error: of the keypoint errors over the contact frames [m].
        contact_frames: frames with contact.
        sample_q: (S, 23) joint angles of an even sample of the frames [rad].
        sample_object: (S, 3) object positions in base_link at the same frames [m].
        first_q: (C, 23) joint angles of the first frames [rad].
        first_object: (C, 3) object positions in base_link in the first frames [m].
    """

    frames: int
    q: Histogram
    contact_error: Histogram
    contact_frames: int
    sample_q: np.ndarray
    sample_object: np.ndarray
    first_q: np.ndarray
    first_object: np.ndarray


def pass_over(selection: Selection) -> FramePass:
    """Read the frames of `selection`, block by block.

    Raises:
        TrajectoryError: a column is damaged.
    """
    store, sample = selection.store, selection.sample(SAMPLE_FRAMES)
    q, error = joint_histogram(), Histogram(0.0, _ERROR_TO_M, _ERROR_BINS)
    contact_frames = 0
    taken: dict[str, list[np.ndarray]] = {
        name: [np.zeros((0, width))]
        for name, width in (("q", 23), ("object", 3), ("first_q", 23), ("first_object", 3))
    }
    for rows, chosen in selection.blocks():
        block = store.read("frames/q", rows)
        q.add(block[chosen])
        taken["q"].append(among(rows, block, sample))
        taken["first_q"].append(among(rows, block, selection.first_rows))
        block = store.read("frames/object_pose", rows)[:, :3]
        taken["object"].append(among(rows, block, sample))
        taken["first_object"].append(among(rows, block, selection.first_rows))
        touched = store.read("frames/contact", rows) & chosen
        contact_frames += int(touched.sum())
        error.add(store.read("frames/keypoint_error_m", rows)[touched])
    whole = {name: np.concatenate(parts).astype(np.float64) for name, parts in taken.items()}
    return FramePass(
        selection.frames,
        q,
        error,
        contact_frames,
        sample_q=whole["q"],
        sample_object=whole["object"],
        first_q=whole["first_q"],
        first_object=whole["first_object"],
    )


def joint_histogram() -> Histogram:
    """Return an empty histogram of the 23 joints [rad], a little wider than limits and scale."""
    robot = load_embodiment()
    low = np.minimum(robot.lower, robot.policy_lower)
    high = np.maximum(robot.upper, robot.policy_upper)
    margin = _MARGIN * (high - low)
    return Histogram(low - margin, high + margin, JOINT_BINS)
