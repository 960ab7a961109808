"""What a store holds as a whole: keep rates, of each track too, and why the rest was rejected."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from hop_sim.statistics import Rate, rate_of
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.summary import track_summaries
from hop_sim.trajectories.thin import is_drawn

PAPER_KEPT, PAPER_ATTEMPTS = 70_000, 315_000
"""Trajectories that the paper keeps, of 450 videos with 700 attempts each. Source: HOP, section IV.

Its filter is that of `kept_any`, by its words.
"""


@dataclass(frozen=True)
class TrackRate:
    """What was kept of one track.

    Attributes:
        name, group, objects: the track, what splits keep together, what was manipulated.
        synthetic: whether its hand was made and not seen.
        attempts, stored: how many were made, and trajectories in the store.
        kept_any, kept_contact: by each reading of the filter, of all attempts at it; None where
            the store is drawn from another one.
        rejections: attempts that are not stored, by reason.
    """

    name: str
    group: str
    objects: tuple[str, ...]
    synthetic: bool
    attempts: int
    stored: int
    kept_any: Rate | None
    kept_contact: Rate | None
    rejections: dict[str, int]


@dataclass(frozen=True)
class Overview:
    """A store as a whole.

    Attributes:
        address, content: where it is, and the hash of what it holds.
        settings: hashes of the configurations that made it, by name.
        attempts, stored, frames, hours: of all tracks; hours of robot time at the store's rate.
        objects, groups: how many.
        synthetic_tracks: tracks whose hand was made and not seen.
        kept_any, kept_contact: by each reading of the filter, of all attempts; None where the store
            is drawn from another one.
        rejections: attempts that are not stored, by reason, most frequent first.
        tracks: by falling keep rate, contact frames first.
    """

    address: str
    content: str
    settings: dict[str, str]
    attempts: int
    stored: int
    frames: int
    hours: float
    objects: int
    groups: int
    synthetic_tracks: int
    kept_any: Rate | None
    kept_contact: Rate | None
    rejections: dict[str, int]
    tracks: tuple[TrackRate, ...]


def overview_of(store: TrajectoryStore) -> Overview:
    """Return the figures of `store` that need no frames.

    Raises:
        TrajectoryError: a column is damaged.
    """
    summaries = track_summaries(store)
    rate = _unknown if is_drawn(store) else rate_of
    tracks = [
        TrackRate(
            name=each["track"],
            group=each["group"],
            objects=tuple(each["objects"]),
            synthetic=each["synthetic"],
            attempts=each["attempts"],
            stored=each["trajectories"],
            kept_any=rate(each["kept_any"], each["attempts"]),
            kept_contact=rate(each["kept_contact"], each["attempts"]),
            rejections=each["rejections"],
        )
        for each in summaries
    ]
    reasons: Counter[str] = Counter()
    for track in tracks:
        reasons.update(track.rejections)
    attempts = sum(row.attempts for row in store.tracks)
    return Overview(
        address=store.address,
        content=store.content,
        settings=store.header.settings,
        attempts=attempts,
        stored=len(store),
        frames=store.frames,
        hours=store.frames / store.header.rate_hz / 3600.0,
        objects=len(store.objects),
        groups=len({track.group for track in tracks}),
        synthetic_tracks=sum(track.synthetic for track in tracks),
        kept_any=rate(sum(each["kept_any"] for each in summaries), attempts),
        kept_contact=rate(sum(each["kept_contact"] for each in summaries), attempts),
        rejections=dict(reasons.most_common()),
        tracks=tuple(sorted(tracks, key=_by_falling_rate)),
    )


def _unknown(_kept: int, _attempts: int) -> None:
    """Stand for `rate_of` where what is kept is what was drawn."""


def _by_falling_rate(track: TrackRate) -> tuple[bool, float, float, str]:
    """Key of the order; tracks that were not attempted, or have no rate, come last."""
    if track.kept_any is None or track.kept_contact is None or not track.attempts:
        return True, 0.0, 0.0, track.name
    return False, -track.kept_contact.value, -track.kept_any.value, track.name
