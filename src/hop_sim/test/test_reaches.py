"""Random reaches: as long as the tracks that they are made for, with their objects; no more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hop_core.errors import ConfigError, TrackError
from hop_sim.tracks.check import check_track
from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.files import load_track, save_track
from hop_sim.tracks.resample import resample
from hop_sim.tracks.synthetic.config import load_synthetic_config
from hop_sim.tracks.synthetic.generator import GeneratorSettings, synthetic_jobs
from hop_sim.tracks.synthetic.reaches import ReachSettings, load_reach_config, reach_jobs
from hop_sim.tracks.track import Track
from hop_sim.tracks_cli import main

TRACKS, SYNTHETIC = load_tracks_config(), load_synthetic_config()
SETTINGS = ReachSettings(tracks=TRACKS, synthetic=SYNTHETIC, reach=load_reach_config())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tracks in which objects are handled."""
    path = tmp_path_factory.mktemp("reaches") / "tracks"
    for job in synthetic_jobs(3, 1, GeneratorSettings(tracks=TRACKS, synthetic=SYNTHETIC)):
        save_track(job.make(), path)
    return path


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


@pytest.fixture(scope="module")
def handled(folder: Path) -> list[Track]:
    return [load_track(file) for file in files(folder)]


@pytest.fixture(scope="module")
def reaches(folder: Path) -> list[Track]:
    return [job.make() for job in reach_jobs(files(folder), 0, SETTINGS)]


def test_there_is_one_of_equal_length_for_each_track(
    handled: list[Track], reaches: list[Track]
) -> None:
    """In steps of the policy, which trajectories are made of, to half a second."""
    for like, reach in zip(handled, reaches, strict=True):
        steps = [len(resample(each, TRACKS.filters).time_s) for each in (like, reach)]
        assert abs(steps[0] - steps[1]) <= 10


def test_the_object_stands_where_the_other_tracks_object_stood_at_first(
    handled: list[Track], reaches: list[Track]
) -> None:
    for like, reach in zip(handled, reaches, strict=True):
        assert reach.object_name == like.object_name
        assert np.array_equal(reach.object_points_m, like.object_points_m)
        apart = reach.T_table_object[:, :3, 3] - like.T_table_object[0, :3, 3]
        assert np.abs(apart).max() < 0.005  # a tracker's errors


def test_a_hand_that_wanders_says_so_and_touches_nothing(reaches: list[Track]) -> None:
    for reach in reaches:
        assert reach.meta.synthetic
        assert (reach.meta.source, reach.meta.handled) == ("reaches", False)
        assert reach.meta.quality.closest_m > TRACKS.limits.touch_m
        assert reach.keypoints_m[..., 2].min() > 0.0
        assert not resample(reach, TRACKS.filters).contact.any()
        assert check_track(reach, TRACKS) == []


def test_the_hand_gets_about_and_its_fingers_move(reaches: list[Track]) -> None:
    for reach in reaches:
        assert np.ptp(reach.keypoints_m[:, 9], axis=0).max() > 0.2
        to_palm = np.linalg.norm(reach.keypoints_m[:, 8] - reach.keypoints_m[:, 9], axis=1)
        assert np.ptp(to_palm) > 0.005


def test_the_flag_is_held_against_what_the_track_shows(
    handled: list[Track], reaches: list[Track]
) -> None:
    denied = replace(handled[0], meta=handled[0].meta.model_copy(update={"handled": False}))
    (doubt,) = check_track(denied, TRACKS)
    assert "meta.handled: says that the hand keeps away from the object" in str(doubt)
    claimed = replace(reaches[0], meta=reaches[0].meta.model_copy(update={"handled": True}))
    (doubt,) = check_track(claimed, TRACKS)
    assert "the hand comes no nearer than" in str(doubt)


def test_ways_are_drawn_by_seed_and_by_the_track(folder: Path, reaches: list[Track]) -> None:
    again = next(reach_jobs(files(folder), 0, SETTINGS)).make()
    assert np.array_equal(again.keypoints_m, reaches[0].keypoints_m)
    other = next(reach_jobs(files(folder), 1, SETTINGS)).make()
    assert not np.array_equal(other.keypoints_m[:30], again.keypoints_m[:30])
    ways = [reach.keypoints_m[:30, 9] for reach in reaches]
    assert not np.allclose(ways[0], ways[1], atol=0.05)


def test_the_command_makes_them_goes_on_and_needs_tracks(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reaches"
    assert main(["reaches", str(folder), "-o", str(out)]) == 0
    assert main(["reaches", str(folder), "-o", str(out)]) == 0
    assert "0 written, 3 kept" in capsys.readouterr().out
    assert main(["check", str(out)]) == 0
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrackError, match="holds no track; hop tracks generate makes some"):
        main(["reaches", str(tmp_path / "empty"), "-o", str(out)])
    with pytest.raises(ConfigError, match="whose tracks are taken"):
        main(["reaches", str(tmp_path), "-o", str(out)])


def test_a_way_that_cannot_be_found_is_an_error_that_says_what_to_do(folder: Path) -> None:
    far = SETTINGS.reach.model_copy(update={"apart_m": 5.0, "attempts": 2})
    job = next(reach_jobs(files(folder), 0, SETTINGS.model_copy(update={"reach": far})))
    with pytest.raises(TrackError, match="none of 2 drawn ways keeps 5 m away from synthetic_"):
        job.make()
