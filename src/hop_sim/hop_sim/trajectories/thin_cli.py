"""`hop trajectories thin`: a drawn part of a store as a store of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hop_sim.episode_progress import watched
from hop_sim.trajectories.depth.reading import has_depth
from hop_sim.trajectories.depth.record import COMMAND
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.thin import thin_store
from hop_sim.trajectories.trajectory import Kept


@dataclass(frozen=True, kw_only=True)
class ThinOptions:
    """Draw some trajectories of a store into a store of their own, evenly over its tracks.

    The draw depends on seed and names alone. A run that was stopped goes on. The store itself stays
    as it is; its rendered depth is left out.
    """

    store: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="STORE")]
    """Folder of the store, or a URL"""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the thinned store."""
    most: int
    """Trajectories, all tracks together; a store that has fewer gives them all."""
    kept: Kept = "contact"
    """Trajectories to draw from: keypoint error below 3 cm in 80 % of the contact frames, or in any
    frame (the paper's words)."""
    seed: int = 0
    """What is drawn is drawn by this."""


def main(argv: list[str]) -> int:
    """Draw some trajectories of a store into a store of their own; return the exit code.

    Raises:
        TrajectoryError: see `thin_store`.
    """
    options = tyro.cli(ThinOptions, args=argv, prog="hop trajectories thin")
    store = TrajectoryStore.open(options.store)
    tracks = thin_store(store, options.out, options.kept, options.most, options.seed)
    added = sum(new for _row, new in watched(tracks, "tracks", len(store.tracks)))
    thinned = TrajectoryStore.open(options.out)
    used = sum(row.trajectories > 0 for row in thinned.tracks)
    print(
        f"{added} tracks added; {options.out} holds {len(thinned)} of {len(store)} trajectories, "
        f"of {used} tracks, {thinned.frames} frames, content {thinned.content}"
    )
    if has_depth(store):
        print(f"depth is left out; the same images are rendered again by {COMMAND} {options.out}")
    return 0
