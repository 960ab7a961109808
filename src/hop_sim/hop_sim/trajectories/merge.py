"""Several stores into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.header import StoreHeader, require_same
from hop_sim.trajectories.reading import read_track
from hop_sim.trajectories.rows import TrackRow
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.writer import TrajectoryWriter


def merged_header(stores: Sequence[TrajectoryStore]) -> StoreHeader:
    """Return the header of the merged store.

    Raises:
        TrajectoryError: the stores were made by different settings, or share a track.
    """
    first = stores[0]
    homes: dict[str, TrajectoryStore] = {}
    for store in stores:
        require_same(store.header, first.header, store.address, first.address)
        for row in store.tracks:
            home = homes.setdefault(row.info.name, store)
            if home is not store:
                raise TrajectoryError(
                    f"{store.address}: track '{row.info.name}' is in {home.address} too; a track "
                    "may come from one store only"
                )
    provenance = {"merged_from": ", ".join(sorted(store.content for store in stores))}
    return first.header.model_copy(update={"provenance": provenance})


def merge_stores(stores: Sequence[TrajectoryStore], out: Path) -> Iterator[tuple[TrackRow, bool]]:
    """Add all tracks of `stores` to the store at `out`, which is made if there is none.

    A merge that was stopped goes on: tracks that `out` has already, with the same content, are
    passed over.

    Yields:
        Each track, as it is in its own store, and whether it was added.

    Raises:
        TrajectoryError: the stores do not go together, one is damaged or is `out`, `out` is
            something else than their merge, or the disk refuses.
    """
    header = merged_header(stores)
    if out.resolve() in {Path(store.address).resolve() for store in stores}:
        raise TrajectoryError(f"{out}: is one of the stores to be merged; choose another place")
    with TrajectoryWriter.resume(out, header) as writer:
        if writer.header.provenance != header.provenance:
            raise TrajectoryError(
                f"{out}: is there, and is no merge of just these stores; choose another place"
            )
        for store in stores:
            for row in store.tracks:
                there = writer.tracks.get(row.info.name)
                if there is not None and there.sha256 != row.sha256:
                    raise TrajectoryError(
                        f"{out}: has another track '{row.info.name}' than {store.address}; choose "
                        "another place, or leave that store out"
                    )
        for store in stores:
            for row in store.tracks:
                if row.info.name not in writer.tracks:
                    writer.append_track(read_track(store, row))
                    yield row, True
                else:
                    yield row, False
