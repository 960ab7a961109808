"""Depth that was rendered and stored, by rows of the store's frames."""

from __future__ import annotations

import hashlib

import numpy as np

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.arrays import Arrays
from hop_sim.trajectories.depth.codes import decode
from hop_sim.trajectories.depth.layout import CHECKSUMS, code_column
from hop_sim.trajectories.depth.record import (
    COMMAND,
    RECORD_FILE,
    anew,
    parse_record,
    shown_content,
)
from hop_sim.trajectories.place import place_of
from hop_sim.trajectories.store import TrajectoryStore


def depth_rows(store: TrajectoryStore, rows: slice) -> np.ndarray:
    """Return what a depth policy sees at contiguous rows of frames/: (n, 60, 60) float32 [m].

    For many reads keep a `StoredDepth`.

    Raises:
        TrajectoryError: the depth of these rows is not there, is damaged, or is of other
            trajectories.
    """
    return StoredDepth(store).rows(rows)


def has_depth(store: TrajectoryStore) -> bool:
    """Whether depth was begun to be rendered for `store`."""
    return place_of(store.address).exists(RECORD_FILE)


def code_digest(codes: np.ndarray) -> bytes:
    """Return the checksum, 32 bytes, of the codes (T, 60, 60) uint16 of a trajectory."""
    return hashlib.sha256(np.ascontiguousarray(codes, dtype="<u2").tobytes()).digest()


class StoredDepth:
    """The depth of a store as it was when this was made.

    Attributes:
        record: how much there is, and how it was made.
    """

    def __init__(self, store: TrajectoryStore) -> None:
        """Read the record; images are read when they are asked for.

        Raises:
            TrajectoryError: there is no depth, or it is damaged or of other trajectories.
        """
        self._store, address = store, store.address
        place = place_of(address)
        if not place.exists(RECORD_FILE):
            raise TrajectoryError(f"{address}: its depth is not rendered; run {COMMAND} {address}")
        self.record = record = parse_record(place.read(RECORD_FILE), address)
        fits = record.trajectories <= len(store) and record.frames == _frames(
            store, record.trajectories
        )
        if not fits or record.content != shown_content(store.tracks, record.trajectories):
            raise TrajectoryError(
                f"{address}: its depth shows other trajectories than it holds: {anew(address)}"
            )
        self._arrays = Arrays(place.files, address)
        self._codes = code_column(record.recipe.contract.size_px)

    def rows(self, rows: slice) -> np.ndarray:
        """Return the images (n, 60, 60) float32 [m] at contiguous rows of frames/.

        Raises:
            TrajectoryError: some of them are not rendered yet, or damaged.
        """
        return decode(self.codes(rows))

    def codes(self, rows: slice) -> np.ndarray:
        """Return the same as codes (n, 60, 60) uint16, in steps of `codes.STEP_M`.

        Raises:
            TrajectoryError: some of them are not rendered yet, or damaged.
        """
        start, stop, step = rows.indices(self._store.frames)
        if step != 1:
            raise TrajectoryError(f"depth: rows must be contiguous; take every {step}th yourself")
        stop = max(start, stop)
        if stop > self.record.frames:
            raise TrajectoryError(
                f"{self._store.address}: its depth is rendered for {self.record.frames} of "
                f"{self._store.frames} frames; go on with {COMMAND} {self._store.address}"
            )
        return self._arrays.read(self._codes, slice(start, stop))

    def checksums(self, trajectories: slice) -> np.ndarray:
        """Return the checksums (M, 32) uint8 of contiguous trajectories as they were stored."""
        return self._arrays.read(CHECKSUMS, trajectories)


def _frames(store: TrajectoryStore, trajectories: int) -> int:
    """How many frames the first `trajectories` of `store` have."""
    return store.frame_rows(trajectories - 1).stop if trajectories else 0
