"""The columns of depth/, and how they are cut into chunks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hop_sim.trajectories.columns import Column
from hop_sim.trajectories.depth.codes import STEP_M
from hop_sim.trajectories.depth.record import DEPTH_DIR

# A chunk is read at once: 7.4 MB before compression.
CODE_CHUNK_ROWS = 1024
CHECKSUM_CHUNK_ROWS = 16384

CHECKSUMS = Column(
    DEPTH_DIR, "sha256", np.dtype("u1"), (32,), "1", "checksum of the codes of a trajectory"
)


def code_column(size_px: int) -> Column:
    """Return the column of images of `size_px` x `size_px`, a row per frame as in frames/."""
    text = f"depth that the policy sees after the step, in steps of {1000 * STEP_M:g} mm"
    return Column(
        DEPTH_DIR, "codes", np.dtype("<u2"), (size_px, size_px), f"{1000 * STEP_M:g} mm", text
    )


def grouped(lengths: np.ndarray, first: int, stop: int, frames: int) -> Iterator[range]:
    """Yield the trajectories `first` to `stop` in groups of at least `frames` frames.

    Args:
        lengths: (M,) frames of each trajectory of the store.
        first: where the first group begins.
        stop: where the last one ends; it may have fewer frames.
        frames: of a group, at least.
    """
    begin, held = first, 0
    for number in range(first, stop):
        held += int(lengths[number])
        if held >= frames or number == stop - 1:
            yield range(begin, number + 1)
            begin, held = number + 1, 0
