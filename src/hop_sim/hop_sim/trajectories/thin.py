"""A drawn part of a store as a store of its own, for what is too large or too slow for the whole.

Depth takes 7,200 bytes a frame in memory and hours to render: a part of the store is drawn once,
and what is rendered, trained on and compared afterwards is that part, the same for every policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.reading import read_track
from hop_sim.trajectories.rows import TrackRow
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.track_result import TrackResult
from hop_sim.trajectories.trajectory import Kept
from hop_sim.trajectories.writer import TrajectoryWriter

THINNED = "thinned"
"""Setting of a store that tells the draw."""
NOT_DRAWN = "not drawn"
"""Reason in `TrackRow.rejections` of what was kept by retargeting and left out here."""


def is_drawn(store: TrajectoryStore) -> bool:
    """Return whether `store` is a draw from another one, which tells nothing of keep rates."""
    return THINNED in store.header.settings


def draw_evenly(store: TrajectoryStore, kept: Kept, most: int, seed: int) -> np.ndarray:
    """Return which trajectories (M,) bool of `store` are drawn, as evenly over tracks as they go.

    All tracks give one, then all that have another give it, until there are `most`. Which ones, and
    whose turn it is last, depends on `seed` and the tracks' names alone: a smaller draw is part of
    a larger one.

    Raises:
        TrajectoryError: `kept` keeps nothing.
    """
    flags = store.read(f"metrics/kept_{kept}").astype(bool)
    if not flags.any():
        raise TrajectoryError(
            f"{store.address}: none of {len(store)} trajectories is marked kept_{kept}; there is "
            "nothing to draw from"
        )
    turns: list[tuple[int, float, int]] = []
    for track in store.tracks:
        digest = hashlib.sha256(track.info.name.encode()).digest()
        rng = np.random.default_rng((seed, int.from_bytes(digest[:8], "big")))
        numbers = track.first_trajectory + np.flatnonzero(flags[track.episode_rows])
        last = float(rng.random())
        turns += [(turn, last, int(n)) for turn, n in enumerate(rng.permutation(numbers))]
    drawn = np.zeros(len(store), bool)
    drawn[[number for _turn, _last, number in sorted(turns)[:most]]] = True
    return drawn


def thin_store(
    store: TrajectoryStore, out: Path, kept: Kept, most: int, seed: int
) -> Iterator[tuple[TrackRow, bool]]:
    """Add the drawn trajectories of `store` to the store at `out`, which is made if there is none.

    Tracks keep their names, groups and provenance, their trajectories their attempts: what is drawn
    by these, such as depth, comes out as in the whole store. What was not drawn is counted among
    the rejections. A run that was stopped goes on.

    Yields:
        Each track, as it is in `store`, and whether it was added.

    Raises:
        TrajectoryError: nothing is kept, `most` is not positive, `out` is of another draw or holds
            another store, or the disk refuses.
    """
    if most < 1 or seed < 0:
        raise TrajectoryError(
            f"a draw needs --most of 1 or more and --seed of 0 or more, got {most} and {seed}"
        )
    drawn = draw_evenly(store, kept, most, seed)
    draw = f"{most} of kept_{kept} by seed {seed} from {store.content}"
    settings = {**store.header.settings, THINNED: draw}
    with TrajectoryWriter.resume(
        out, store.header.model_copy(update={"settings": settings})
    ) as writer:
        for row in store.tracks:
            there = row.info.name in writer.tracks
            if not there:
                writer.append_track(_part(read_track(store, row), drawn[row.episode_rows]))
            yield row, not there


def _part(whole: TrackResult, drawn: np.ndarray) -> TrackResult:
    """The drawn (M,) of a track's trajectories, and what they show."""
    kept = [each for each, mine in zip(whole.trajectories, drawn, strict=True) if mine]
    rejections = dict(whole.rejections)
    if len(kept) < len(drawn):
        rejections[NOT_DRAWN] = rejections.get(NOT_DRAWN, 0) + len(drawn) - len(kept)
    shown = {each.object_name for each in kept}
    objects = {name: model for name, model in whole.objects.items() if name in shown}
    return replace(whole, rejections=rejections, trajectories=kept, objects=objects)
