"""Which trajectories are learnt from, and which are held out: by track group, never by attempt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hop_core.config import values_hash
from hop_core.errors import TrajectoryError
from hop_policy.dataset import drawn, held_out_groups
from hop_sim.trajectories.pairs import Pairs
from hop_sim.trajectories.rows import TrackRow
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.thin import THINNED
from hop_sim.trajectories.trajectory import Kept


@dataclass(frozen=True)
class Part:
    """Trajectories of one track.

    Attributes:
        store: where they are.
        track: which track.
        numbers: (M,) numbers of the trajectories in the store, rising.
    """

    store: TrajectoryStore
    track: TrackRow
    numbers: np.ndarray

    def __len__(self) -> int:
        """Number of trajectories."""
        return len(self.numbers)

    def pairs(self) -> Pairs:
        """Return observations and labels, as rows of the store."""
        return self.store.pairs(self.numbers)


def kept_parts(stores: Sequence[TrajectoryStore], kept: Kept) -> list[Part]:
    """Return what `kept` keeps of each track, in the order of the stores.

    Raises:
        TrajectoryError: nothing is kept, or a track is in two stores.
    """
    seen: dict[tuple[str, str], TrajectoryStore] = {}
    parts = []
    for store in stores:
        flags = store.read(f"metrics/kept_{kept}")
        settings = {k: v for k, v in store.header.settings.items() if k != THINNED}
        made_by = values_hash(settings)
        for track in store.tracks:
            # The same settings give the same attempts at a track, drawn from or not.
            home = seen.setdefault((made_by, track.info.model_dump_json()), store)
            if home is not store:
                raise TrajectoryError(
                    f"track '{track.info.name}' is in {home.address} and in {store.address}; "
                    "name each store once, and none beside its merge or a part of it"
                )
            numbers = track.first_trajectory + np.flatnonzero(flags[track.episode_rows])
            if len(numbers):
                parts.append(Part(store, track, numbers))
    if not parts:
        total = sum(map(len, stores))
        advice = "use --kept any or retarget more" if kept == "contact" else "retarget more"
        raise TrajectoryError(
            f"{', '.join(store.address for store in stores)}: none of {total} trajectories is "
            f"marked kept_{kept}; {advice}"
        )
    return parts


def split_parts(
    parts: Sequence[Part], val_fraction: float, seed: int
) -> tuple[list[Part], list[Part]]:
    """Return (training, validation) parts; no track group is on both sides.

    Raises:
        TrajectoryError: all are of one group.
    """
    groups = [part.track.info.group for part in parts]
    held_out = held_out_groups(groups, val_fraction, seed)
    if not held_out:
        raise TrajectoryError(
            f"all trajectories are of one track group, '{groups[0]}'; at least 2 groups are "
            "needed, one for validation: retarget tracks of another"
        )
    sides: tuple[list[Part], list[Part]] = [], []
    for part, group in zip(parts, groups, strict=True):
        sides[group in held_out].append(part)
    return sides


def thinned(parts: Sequence[Part], most: int | None, seed: int) -> list[Part]:
    """Return parts with `most` of the trajectories in all, drawn by `seed`; None is all."""
    chosen = drawn(sum(map(len, parts)), most, seed)
    out, first = [], 0
    for part in parts:
        mine = chosen[(chosen >= first) & (chosen < first + len(part))] - first
        if len(mine):
            out.append(replace(part, numbers=part.numbers[mine]))
        first += len(part)
    return out
