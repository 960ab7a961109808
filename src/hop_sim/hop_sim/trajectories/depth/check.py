"""What is wrong with the depth of a store: each track's images against their checksums."""

from __future__ import annotations

from collections.abc import Iterator

from hop_core.errors import TrajectoryError
from hop_sim.trajectories.depth.layout import grouped
from hop_sim.trajectories.depth.reading import StoredDepth, code_digest, has_depth
from hop_sim.trajectories.rows import TrackRow
from hop_sim.trajectories.store import TrajectoryStore

_FRAMES_AT_ONCE = 4096


def check_depth(store: TrajectoryStore) -> Iterator[tuple[str, str]]:
    """Yield the parts of a store's depth with what is wrong with each, empty if nothing is.

    The parts are the record, and each track that depth was rendered of, wholly or not: depth that
    is not there yet is no damage. A store without depth has no parts.
    """
    if not has_depth(store):
        return
    try:
        depth = StoredDepth(store)
    except TrajectoryError as error:
        yield "depth", str(error)
        return
    yield "depth", ""
    for track in store.tracks:
        if track.trajectories and track.first_trajectory < depth.record.trajectories:
            yield f"depth of track '{track.info.name}'", _problem(store, depth, track)


def _problem(store: TrajectoryStore, depth: StoredDepth, track: TrackRow) -> str:
    stop = min(track.episode_rows.stop, depth.record.trajectories)
    lengths = store.read("episodes/length", slice(0, stop))
    try:
        for group in grouped(lengths, track.first_trajectory, stop, _FRAMES_AT_ONCE):
            rows = [store.frame_rows(number) for number in group]
            first = rows[0].start
            codes = depth.codes(slice(first, rows[-1].stop))
            stored = depth.checksums(slice(group.start, group.stop))
            for number, own, checksum in zip(group, rows, stored, strict=True):
                if code_digest(codes[own.start - first : own.stop - first]) != checksum.tobytes():
                    return f"sha256: images of trajectory {number} are not those that were stored"
    except TrajectoryError as error:
        return str(error)
    return ""
