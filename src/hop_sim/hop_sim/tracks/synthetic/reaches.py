"""Random reaches: a hand that wanders between random places and postures, beside an object.

A control of pretraining. For each track there is one of equal length, with its object where that
stood at first; the hand's motion has nothing to do with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import Field

from hop_core.config import Config, config_hash, config_path, load_config
from hop_core.errors import TrackError
from hop_core.rotation import angle_between
from hop_sim.tracks.assemble import Origin, Sighting, assemble
from hop_sim.tracks.batch import Job
from hop_sim.tracks.config import TracksConfig
from hop_sim.tracks.contact import distances_m
from hop_sim.tracks.files import load_track, read_about
from hop_sim.tracks.keypoints import KEYPOINTS
from hop_sim.tracks.pacing import pace
from hop_sim.tracks.rigid import pose
from hop_sim.tracks.synthetic.config import Point, Range, SyntheticConfig
from hop_sim.tracks.synthetic.course import duration_s, minimum_jerk
from hop_sim.tracks.synthetic.grasp import draw_turn
from hop_sim.tracks.synthetic.hand import Hand, make_hand
from hop_sim.tracks.synthetic.moves import Move
from hop_sim.tracks.synthetic.tracker import Course, sighting
from hop_sim.tracks.track import Track


class ReachConfig(Config):
    """All of `config/reach_tracks.yaml`; ranges are drawn uniformly.

    Attributes:
        palm_x_m, palm_y_m, palm_z_m: places of the palm, in the table frame.
        tip_m: farthest of a fingertip from where it is at rest, along x, y, z of the palm.
        rise_m: height of the way above the straight line, in its middle.
        apart_m: every keypoint stays farther from the object than this.
        clear_table_m: and higher above the table than this.
        attempts: ways tried for one track before it is given up.
    """

    palm_x_m: Range
    palm_y_m: Range
    palm_z_m: Range
    tip_m: Point
    rise_m: Range
    apart_m: float = Field(gt=0.0)
    clear_table_m: float = Field(gt=0.0)
    attempts: int = Field(ge=1)


class ReachSettings(Config):
    """What decides the reaches.

    Attributes:
        tracks: filters, limits.
        synthetic: hands, speeds, pauses, a tracker's errors.
        reach: the rest.
        like: checksum of the track that one is as long as.
    """

    tracks: TracksConfig
    synthetic: SyntheticConfig
    reach: ReachConfig
    like: str = ""


def load_reach_config(config_dir: Path | str | None = None) -> ReachConfig:
    """Return `reach_tracks.yaml` of `config_dir`, or the installed one.

    Raises:
        ConfigError: it is missing, or a key or value is not allowed.
    """
    return load_config(config_path("reach_tracks.yaml", config_dir), ReachConfig)


def reach_jobs(files: Sequence[Path], seed: int, settings: ReachSettings) -> Iterator[Job]:
    """Yield a job for each of the tracks `files`.

    Raises:
        TrackError: a file is damaged.
    """
    for file in files:
        about = read_about(file)
        mine = settings.model_copy(update={"like": about.sha256})
        name = f"reach_{seed}_{about.name}"
        yield Job(name, str(file), config_hash(mine), partial(reach_like, file, seed, mine))


def reach_like(file: Path, seed: int, settings: ReachSettings) -> Track:
    """Return the reaches that are played as long as the track `file`.

    Args:
        file: the track; it gives length, object, and where that stands.
        seed: hand and ways are drawn from this and the bytes of the track's arrays.
        settings: of the reaches.

    Raises:
        TrackError: the track is damaged, or no way was found that keeps away from its object.
    """
    like = load_track(file)
    name = f"reach_{seed}_{like.name}"
    rng = np.random.default_rng([seed, *bytes.fromhex(settings.like)])
    config = settings.synthetic
    hand = make_hand(config.hand, int(rng.integers(config.hands)))
    played_s = float(pace(like, settings.tracks.filters).played_s[-1])
    T_table_object = like.T_table_object[like.stretch.start]
    points_m = like.object_points_m
    ways = (
        _way(hand, T_table_object, played_s, settings, rng) for _ in range(settings.reach.attempts)
    )
    course = next((way for way in ways if _is_apart(way, hand, points_m, settings.reach)), None)
    if course is None:
        raise TrackError(
            f"{name}: none of {settings.reach.attempts} drawn ways keeps "
            f"{settings.reach.apart_m:g} m away from {like.object_name} and off the table; raise "
            "attempts in reach_tracks.yaml or widen its ranges"
        )
    origin = Origin(
        name=name,
        object_name=like.object_name,
        source="reaches",
        subject=hand.name,
        scale_source="made in metres",
        settings=config_hash(settings),
        provenance={"seed": seed, "like": like.name},
        synthetic=True,
        handled=False,
    )
    seen = sighting(course, points_m, hand, config, rng)
    whole = assemble(seen, origin, settings.tracks, name)
    return assemble(_first(seen, _frames_played(whole, played_s, settings)), origin,
                    settings.tracks, name)  # fmt: skip


def _way(
    hand: Hand,
    T_table_object: np.ndarray,
    seconds: float,
    settings: ReachSettings,
    rng: np.random.Generator,
) -> Course:
    """A way of at least `seconds` from place to place; the fingers move as the palm does."""
    motion, reach = settings.synthetic.motion, settings.reach
    time_s = np.arange(0.0, seconds, 1.0 / settings.synthetic.fps)
    here, tips = _place(settings, rng), _tips(hand, reach, rng)
    palm = np.repeat(here[None], len(time_s), axis=0)
    tips_m = np.repeat(tips[None], len(time_s), axis=0)
    begin = 0.0
    while begin < seconds:
        there, goal = _place(settings, rng), _tips(hand, reach, rng)
        way_m = float(np.linalg.norm(there[:3, 3] - here[:3, 3]))
        takes_s = max(
            duration_s(way_m, rng.uniform(*motion.reach_speed_m_s), motion.least_s),
            duration_s(angle_between(here[:3, :3], there[:3, :3]),
                       rng.uniform(*motion.turn_speed_rad_s), motion.least_s),
        )  # fmt: skip
        pause_s = rng.uniform(*motion.pause_s)
        move = Move(here, there, rng.uniform(*reach.rise_m), takes_s, pause_s, rests=False)
        since = time_s >= begin
        palm[since] = move.poses(time_s[since] - begin)
        share = minimum_jerk((time_s[since] - begin - pause_s) / takes_s)[:, None, None]
        tips_m[since] = tips + share * (goal - tips)
        begin, here, tips = begin + pause_s + takes_s, there, goal
    return Course(time_s, palm, tips_m, np.repeat(T_table_object[None], len(time_s), axis=0))


def _place(settings: ReachSettings, rng: np.random.Generator) -> np.ndarray:
    """T_table_palm (4, 4): anywhere, turned as hands are that grasp."""
    reach = settings.reach
    at_m = np.array(
        [rng.uniform(*each) for each in (reach.palm_x_m, reach.palm_y_m, reach.palm_z_m)]
    )
    return pose(draw_turn(settings.synthetic.grasp, rng)[0], at_m)


def _tips(hand: Hand, reach: ReachConfig, rng: np.random.Generator) -> np.ndarray:
    """Fingertips (5, 3) of a random posture, in the palm's frame."""
    return np.asarray(hand.rest_tips_m + rng.uniform(-1.0, 1.0, (5, 3)) * reach.tip_m)


def _is_apart(way: Course, hand: Hand, points_m: np.ndarray, reach: ReachConfig) -> bool:
    keypoints = hand.keypoints_m(way.T_table_palm, way.tips_m)
    if keypoints[..., 2].min() < reach.clear_table_m:
        return False
    apart = distances_m(keypoints, way.T_table_object, points_m, range(KEYPOINTS))
    return bool(apart.min() > reach.apart_m)


def _frames_played(track: Track, played_s: float, settings: ReachSettings) -> int:
    """How many of the track's first frames are played in `played_s`."""
    paced = pace(track, settings.tracks.filters)
    until_s = float(np.interp(played_s, paced.played_s, paced.seen_s))
    return int(np.searchsorted(track.stamps_s, until_s, side="right"))


def _first(seen: Sighting, frames: int) -> Sighting:
    """The first `frames` of what was seen."""
    return replace(
        seen,
        stamps_ns=seen.stamps_ns[:frames],
        keypoints_m=seen.keypoints_m[:frames],
        hand_seen=seen.hand_seen[:frames],
        T_table_object=seen.T_table_object[:frames],
        object_seen=seen.object_seen[:frames],
    )
