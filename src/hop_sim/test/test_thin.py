"""A thinned store: an even draw over tracks, the same whatever stops it, with all provenance."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from hop_core.errors import TrajectoryError
from hop_sim.trajectories import thin_cli
from hop_sim.trajectories.check import check_store
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.reading import read_track
from hop_sim.trajectories.report import report_cli
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.summary import summary
from hop_sim.trajectories.thin import draw_evenly, thin_store
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics
from hop_sim.trajectories.writer import TrajectoryWriter

KEPT = (12, 1, 0, 5)
"""Trajectories of each track that are kept_contact; each track has one more that is not."""


@pytest.fixture
def store(tmp_path: Path) -> TrajectoryStore:
    path = tmp_path / "whole"
    with TrajectoryWriter.create(path, make_header({"retarget": "0" * 16})) as writer:
        for number, count in enumerate(KEPT):
            writer.append_track(track(number, count))
    return TrajectoryStore.open(path)


def track(number: int, count: int) -> TrackResult:
    """Attempts 0, 2, 4, ... were kept, the last of them not kept_contact."""
    rng, name = np.random.default_rng(number), f"object_{number}"
    trajectories = []
    for i in range(count + 1):
        length = 5 + i
        pose = np.tile([0.6, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (length, 1))
        q = rng.normal(size=(length, 23))
        frames = Frames(q, q, q, pose, np.zeros(length), np.zeros(length, bool))
        metrics = TrajectoryMetrics.only(kept_any=True, kept_contact=i < count)
        trajectories.append(Trajectory(2 * i, i, name, frames, metrics, Scene.unknown()))
    info = TrackInfo(name=f"track_{number}", source="test", synthetic=True, group=f"hand_{number}")
    cloud = rng.normal(0, 0.04, (100, 3)).astype("f4")
    attempts = 2 * count + 1
    return TrackResult(
        info, attempts, {"limited": count}, trajectories, {name: ObjectModel(cloud, cloud)}
    )


def thin(store: TrajectoryStore, out: Path, most: int, seed: int = 0) -> TrajectoryStore:
    list(thin_store(store, out, "contact", most, seed))
    return TrajectoryStore.open(out)


def of_each_track(store: TrajectoryStore) -> list[int]:
    return [row.trajectories for row in store.tracks]


def test_all_tracks_give_one_before_one_gives_another(
    store: TrajectoryStore, tmp_path: Path
) -> None:
    assert of_each_track(thin(store, tmp_path / "nine", 9)) == [4, 1, 0, 4]
    assert of_each_track(thin(store, tmp_path / "three", 3)) == [1, 1, 0, 1]
    assert of_each_track(thin(store, tmp_path / "all", 1000)) == list(KEPT)


def test_a_smaller_draw_is_part_of_a_larger_one_and_another_seed_draws_others(
    store: TrajectoryStore,
) -> None:
    draws = [draw_evenly(store, "contact", most, seed=1) for most in range(1, sum(KEPT) + 1)]
    assert [draw.sum() for draw in draws] == list(range(1, sum(KEPT) + 1))
    for small, large in itertools.pairwise(draws):
        assert (large | ~small).all()
    assert (draws[-1] == store.read("metrics/kept_contact")).all()
    assert (draw_evenly(store, "contact", 9, seed=2) != draws[8]).any()


def test_what_is_drawn_stays_what_it_was_and_what_is_not_is_counted(
    store: TrajectoryStore, tmp_path: Path
) -> None:
    small = thin(store, tmp_path / "small", 6)
    for before, after in zip(store.tracks, small.tracks, strict=True):
        assert after.info == before.info
        assert after.attempts == before.attempts
        left_out = before.trajectories - after.trajectories
        assert after.rejections.get("not drawn", 0) == left_out
        whole = {each.attempt: each for each in read_track(store, before).trajectories}
        for each in read_track(small, after).trajectories:
            assert each.seed == whole[each.attempt].seed
            np.testing.assert_array_equal(each.frames.q, whole[each.attempt].frames.q)
    assert {part: problem for part, problem in check_store(small) if problem} == {}
    assert {row.name for row in small.objects} == {"object_0", "object_1", "object_3"}
    assert small.header.settings["retarget"] == store.header.settings["retarget"]


def test_a_run_that_was_stopped_goes_on_and_another_draw_is_refused(
    store: TrajectoryStore, tmp_path: Path
) -> None:
    stopped = thin_store(store, tmp_path / "stopped", "contact", 9, 0)
    next(stopped)
    stopped.close()
    assert len(TrajectoryStore.open(tmp_path / "stopped").tracks) == 1
    assert thin(store, tmp_path / "stopped", 9).content == thin(store, tmp_path / "w", 9).content
    with pytest.raises(TrajectoryError, match=r"'thinned' \(of hop trajectories thin\) is 9 of"):
        thin(store, tmp_path / "stopped", 8)
    with pytest.raises(TrajectoryError, match="'thinned'"):
        thin(store, Path(store.address), 9)


def test_no_keep_rates_are_told_of_a_draw(
    store: TrajectoryStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They would be those of the draw: 6 of 40 attempts, where retargeting kept 22."""
    small = thin(store, tmp_path / "small", 6)
    shares = ("kept_any_share", "kept_contact_share")
    assert [summary(store)[name] for name in shares] == [0.55, 0.45]
    assert [summary(small)[name] for name in shares] == [None, None]
    assert (summary(small)["attempts"], summary(small)["kept_contact"]) == (40, 6)
    for each, drawn in ((store, False), (small, True)):
        out = tmp_path / f"report of {drawn}"
        assert report_cli.main([each.address, "-o", str(out)]) == 0
        overview = json.loads((out / "report.json").read_text())["overview"]
        rates = [overview[name] for name in ("kept_any", "kept_contact")]
        rates += [track["kept_any"] for track in overview["tracks"]]
        assert [rate is None for rate in rates] == [drawn] * 6
        assert sum(track["attempts"] for track in overview["tracks"]) == 40
        assert (out / "keep_rates.png").exists() != drawn
        page = (out / "report.html").read_text()
        assert ("drawn from another store" in page) == drawn
        assert ("the paper keeps" in page) != drawn
        assert ("18 of 40 = 45.0 %" in page) != drawn


def test_the_command_says_what_it_drew(
    store: TrajectoryStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "small"
    assert thin_cli.main([store.address, "-o", str(out), "--most=4"]) == 0
    assert f"{out} holds 4 of 22 trajectories, of 3 tracks" in capsys.readouterr().out
    with pytest.raises(TrajectoryError, match="a draw needs --most of 1 or more"):
        thin_cli.main([store.address, "-o", str(out), "--most=0"])


def test_a_store_with_nothing_kept_is_refused(tmp_path: Path) -> None:
    with TrajectoryWriter.create(tmp_path / "none", make_header({})) as writer:
        writer.append_track(track(0, 0))
    none = TrajectoryStore.open(tmp_path / "none")
    with pytest.raises(TrajectoryError, match="none of 1 trajectories is marked kept_contact"):
        thin(none, tmp_path / "small", 3)
    assert not (tmp_path / "small").exists()
