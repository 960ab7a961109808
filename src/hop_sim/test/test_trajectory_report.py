"""The report of a store: its numbers are those of the store, its page needs nothing else."""

from __future__ import annotations

import base64
import errno
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hop_core import topics
from hop_core.embodiment import ARM_JOINTS, HAND_JOINTS, JOINT_NAMES, load_embodiment
from hop_core.errors import BagError, TrajectoryError
from hop_core.kinematics import Kinematics
from hop_policy import messages
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.episode_info import EpisodeInfo, Source
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.report import folder, selection
from hop_sim.trajectories.report.bins import even_edges
from hop_sim.trajectories.report.content import as_json, content_of
from hop_sim.trajectories.report.histogram import Histogram
from hop_sim.trajectories.report.report_cli import main
from hop_sim.trajectories.report.selection import Selection
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics
from hop_sim.trajectories.writer import TrajectoryWriter

HOME = load_embodiment().home
FIGURES = {
    "keep_rates", "rejections", "distributions", "joint_ranges", "joint_coverage", "workspace",
    "starts",
}  # fmt: skip


def info(name: str) -> TrackInfo:
    return TrackInfo(name=name, source="generator", synthetic=True, group="one")


def trajectory(
    attempt: int, joint1: list[float], error_mm: list[float], contact: str, yaw: float, good: bool
) -> Trajectory:
    """At home but for joint 1; the object is at (0.5, 0.1, 0.2), the table at (0.65, 0, 0)."""
    q = np.tile(HOME, (len(joint1), 1))
    q[:, 0] = joint1
    pose = np.tile([0.5, 0.1, 0.2, 1.0, 0.0, 0.0, 0.0], (len(joint1), 1))
    touched = np.array([letter == "x" for letter in contact])
    frames = Frames(q, q, q, pose, np.array(error_mm) / 1000.0, touched)
    metrics = TrajectoryMetrics.only(
        kept_any=True,
        kept_contact=good,
        min_error_m=min(error_mm) / 1000.0,
        mean_palm_angle_rad=np.pi / 6.0 if good else np.nan,
    )
    scene = Scene(np.array([0.65, 0.0, 0.0, yaw]), 0.8, 1.0, np.full((4, 7), np.nan))
    return Trajectory(attempt, attempt, "cup", frames, metrics, scene)


def write_store(path: Path, *, kept: bool = True) -> TrajectoryStore:
    """Two tracks of 4 attempts; 2 of the first are kept, of 4 and of 2 frames."""
    points = np.random.default_rng(0).normal(0, 0.04, (100, 3)).astype("f4")
    both = [
        trajectory(0, [0.0, 0.1, 0.2, 0.3], [10, 20, 30, 40], "-xxx", 3.0, True),
        trajectory(2, [1.0, 1.0], [25, 60], "-x", -3.0, False),
    ]
    with TrajectoryWriter.create(path, make_header({"retarget.yaml": "0123"})) as writer:
        if kept:
            cup = {"cup": ObjectModel(points, points)}
            writer.append_track(TrackResult(info("a"), 4, {"table": 2}, both, cup))
        writer.append_track(TrackResult(info("b"), 4, {"<b>far</b>": 3, "table": 1}, [], {}))
        return writer.store()


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the small store against one demonstration."""
    root = tmp_path_factory.mktemp("reported")
    write_store(root / "store")
    write_demonstration(root / "demos")
    write_demonstration(root / "demos", "policy")  # what a policy did is none
    command = [str(root / "store"), "-o", str(root / "out"), "--demos", str(root / "demos")]
    assert main(command) == 0
    return root / "out"


def write_demonstration(root: Path, source: Source = "expert") -> None:
    """One second at home; joint 1 turns to where a store's frames never are."""
    ms, start = 1_000_000, 1_700_000_000_000_000_000
    events: list[tuple[int, str, object]] = []
    k = np.array([[66.0, 0, 79.5], [0, 66.0, 44.5], [0, 0, 1]])
    info_at = start - 300 * ms
    events.append((info_at, topics.CAMERA_INFO, messages.camera_info(k, 160, 90, info_at, "c")))
    for t in range(-200, 1050, 10):
        at, q = start + t * ms, HOME.copy()
        q[0] = 0.1 if t < 500 else 2.0
        still = np.zeros(23)
        arm = messages.joint_state(ARM_JOINTS, q[:7], still[:7], still[:7], at)
        hand = messages.joint_state(HAND_JOINTS, q[7:], still[7:], still[7:], at)
        events += [(at, topics.ARM_STATES, arm), (at, topics.HAND_STATES, hand)]
        if t % 50 == 0:
            pixels = np.full((90, 160), 800, np.uint16)
            events.append((at, topics.DEPTH, messages.depth_image(pixels, at, "c")))
            target = messages.joint_trajectory(JOINT_NAMES, q, at, "abcd")
            events.append((at + 5 * ms, topics.SAFE_TARGET, target))
    about = EpisodeInfo(task="toy", source=source, seed=0)
    with EpisodeWriter(root, "toy", f"e_{source}", about) as writer:
        for received, topic, message in sorted(events, key=lambda event: event[0]):
            writer.write(topic, received, message)
        writer.finish("success")


def numbers(report: Path) -> dict:
    return json.loads((report / "report.json").read_text())


def distribution(report: dict, name: str) -> dict:
    return next(each for each in report["details"]["distributions"] if each["name"] == name)


def test_keep_rates_and_reasons_are_of_all_attempts(reported: Path) -> None:
    """Wilson's interval of 2 in 8 is 0.0715 to 0.5907, worked out by hand."""
    overview = numbers(reported)["overview"]
    assert (overview["attempts"], overview["stored"], overview["frames"]) == (8, 2, 6)
    assert overview["hours"] == pytest.approx(6 / 20 / 3600, rel=1e-5)
    assert overview["kept_any"] == {
        "kept": 2,
        "attempts": 8,
        "share": 0.25,
        "wilson_low": pytest.approx(0.0715, abs=1e-4),
        "wilson_high": pytest.approx(0.5907, abs=1e-4),
    }
    assert overview["kept_contact"]["share"] == 0.125
    assert overview["rejections"] == {"table": 3, "<b>far</b>": 3}
    assert [(t["name"], t["kept_any"]["share"]) for t in overview["tracks"]] == [
        ("a", 0.5),
        ("b", 0.0),
    ]
    assert overview["synthetic_tracks"] == 2


def test_distributions_are_those_of_the_frames_and_the_trajectories(reported: Path) -> None:
    report = numbers(reported)
    assert report["details"]["contact_frames"] == 4
    errors = distribution(report, "contact_error")  # 20, 30, 40 and 60 mm
    assert errors["known"] == 4
    assert errors["percentiles"][1] == pytest.approx(35.0, abs=0.11)
    edges, counts = np.array(errors["edges"]), np.array(errors["counts"])
    assert counts[edges[:-1] < 35.0].sum() == 2
    assert counts.sum() + errors["beyond"] == 4
    smallest = distribution(report, "min_error_m")  # 10 and 25 mm
    assert smallest["percentiles"][1] == pytest.approx(17.5, abs=1e-4)
    angle = distribution(report, "mean_palm_angle_rad")
    assert (angle["known"], angle["unknown"]) == (1, 1)
    assert angle["percentiles"][1] == pytest.approx(30.0, abs=1e-4)
    assert distribution(report, "rms_jerk_rad_s3")["percentiles"] == [None] * 3


def test_bins_of_a_figure_reach_its_mark(tmp_path: Path) -> None:
    """Where the limiter never acted there is a bar that can be seen beside the 1 % allowed."""
    values = {"limited_share": 0.0, "hand_saturation_share": 0.0, "min_error_m": 0.05}
    metrics = TrajectoryMetrics.only(kept_any=True, **values)
    one = replace(trajectory(0, [0.0, 0.1], [50, 50], "-x", 0.0, True), metrics=metrics)
    points = np.random.default_rng(0).normal(0, 0.04, (100, 3)).astype("f4")
    with TrajectoryWriter.create(tmp_path / "store", make_header({})) as writer:
        model = {"cup": ObjectModel(points, points)}
        writer.append_track(TrackResult(info("a"), 1, {}, [one], model))
    assert main([str(tmp_path / "store"), "-o", str(tmp_path / "out")]) == 0
    found = json.loads((tmp_path / "out" / "report.json").read_text())["details"]["distributions"]
    shown = {each["name"]: each for each in found}
    limited, error = shown["limited_share"], shown["min_error_m"]
    assert limited["edges"][-1] == pytest.approx(1.0)
    assert limited["edges"][1] >= 1.0 / 42
    assert limited["counts"][0] == 1
    assert error["edges"][-1] >= 50.0  # beyond the mark of 30 mm all the same
    assert sum(error["counts"]) == 1


def test_joints_are_covered_by_the_store_and_by_demonstrations(reported: Path) -> None:
    report = numbers(reported)
    joints, demonstrations = report["details"]["joints"], report["demonstrations"]
    assert (demonstrations["episodes"], demonstrations["tasks"]) == (1, ["toy"])
    assert joints["store"]["postures"] == 6
    assert np.sum(joints["store"]["counts"], axis=1).tolist() == [6] * 23
    # The store's joint 1 is between 0 and 1; half of the demonstration is at 0.1, half at 2.
    assert joints["store"]["percentiles"][2][0] == pytest.approx(0.25, abs=0.01)
    counts, edges = np.array(joints["demonstrations"]["counts"][0]), np.array(joints["edges"][0])
    assert demonstrations["ticks"] == counts.sum() > 15
    at_two = counts[np.searchsorted(edges, 2.0) - 1] / counts.sum()
    assert at_two == pytest.approx(0.5, abs=0.1)
    assert joints["demonstrated_within"][0] == pytest.approx(1.0 - at_two)
    assert joints["home"] == pytest.approx(HOME.tolist())


def test_palm_and_object_are_where_kinematics_and_store_say(reported: Path) -> None:
    space = numbers(reported)["details"]["workspace"]
    assert (space["sampled"], space["frames"]) == (6, 6)
    turned = HOME.copy()
    turned[0] = 1.0
    palm_m = Kinematics().site_pose(turned, "palm")[:3, 3]
    for view, axes in zip(space["palm"], ([0, 1], [0, 2]), strict=True):
        cell = [
            np.searchsorted(view[name], palm_m[axis]) - 1
            for name, axis in zip(("across", "up"), axes, strict=True)
        ]
        assert view["counts"][cell[0]][cell[1]] == 2
    above = space["object"][0]
    assert np.max(above["counts"]) == 6
    assert above["axes"] == ["x", "y"]


def test_spreads_of_starts_go_round_the_circle(reported: Path) -> None:
    """Yaws of 3 and -3 rad lie 8.11° to either side of 180°; R = cos(8.11°) gives 8.13°."""
    details = numbers(reported)["details"]
    yaw = details["tables"][3]
    assert abs(yaw["mean"]) == pytest.approx(180.0, abs=1e-3)
    assert yaw["sd"] == pytest.approx(8.13, abs=0.01)
    assert details["tables"][0]["mean"] == pytest.approx(0.65, abs=1e-6)
    first = details["starts"][0]  # joint 1 starts at 0 and at 1
    assert (first["mean"], first["sd"]) == (0.5, 0.5)
    assert details["objects"][2]["mean"] == pytest.approx(0.2)


def test_the_page_holds_its_pictures_and_refers_to_nothing(reported: Path) -> None:
    page = (reported / "report.html").read_text()
    inside = re.findall(r'src="data:image/png;base64,([^"]*)"', page)
    files = {file.stem: file.read_bytes() for file in reported.glob("*.png")}
    assert set(files) == FIGURES
    assert {base64.b64decode(each) for each in inside} == set(files.values())
    text = re.sub(r'src="data:[^"]*"', "", page)
    assert not re.search(r"https?:|//|src=|href=|url\(|<script|<link|@import", text)
    assert "no evidence about videos of humans" in text
    assert "<b>far" not in text
    assert "2 of 8 = 25.0 % (7.1-59.1)" in text
    assert sorted(p.name for p in reported.iterdir() if p.suffix != ".png") == [
        "report.html",
        "report.json",
    ]


def test_a_reading_of_the_filter_can_be_chosen_and_blocks_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = write_store(tmp_path / "store")
    whole = as_json(content_of(store, "stored", None))
    monkeypatch.setattr(selection, "BLOCK_ROWS", 2)
    assert as_json(content_of(store, "stored", None)) == whole
    good = as_json(content_of(store, "contact", None))
    assert (good["selected"], good["details"]["frames"]) == (1, 4)
    assert good["details"]["joints"]["store"]["percentiles"][-1][0] < 0.31
    assert Selection(store, "stored").sample(3).tolist() == [0, 2, 4]
    assert Selection(store, "contact").sample(100).tolist() == [0, 1, 2, 3]


def test_a_store_with_nothing_in_it_gets_a_report_that_says_so(tmp_path: Path) -> None:
    TrajectoryWriter.create(tmp_path / "empty", make_header({})).close()
    write_store(tmp_path / "none", kept=False)
    write_store(tmp_path / "some")
    for name, sentence, figures in (
        ("empty", "The store is empty", set()),
        ("none", "Nothing was kept of 4 attempts", {"keep_rates", "rejections"}),
    ):
        out = tmp_path / f"report_{name}"
        assert main([str(tmp_path / name), "-o", str(out)]) == 0
        assert sentence in (out / "report.html").read_text()
        assert {file.stem for file in out.glob("*.png")} == figures
        assert numbers(out)["details"] is None


def test_what_cannot_be_done_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, out = str(tmp_path / "store"), tmp_path / "out"
    write_store(tmp_path / "store", kept=False)
    with pytest.raises(TrajectoryError, match="is no trajectory store"):
        main([str(tmp_path / "nowhere"), "-o", str(out)])
    with pytest.raises(TrajectoryError, match="name them with --demos"):
        main([store, "-o", str(out), "--task", "toy"])
    with pytest.raises(TrajectoryError, match="is there already"):
        main([store, "-o", store])
    (tmp_path / "demos").mkdir()
    with pytest.raises(BagError, match="no episode labelled success, of expert or teleop"):
        main([store, "-o", str(out), "--demos", str(tmp_path / "demos")])
    (tmp_path / "file").touch()
    with pytest.raises(TrajectoryError, match="cannot be written: Not a directory"):
        main([store, "-o", str(tmp_path / "file" / "out")])

    def full(path: Path) -> None:
        if path.suffix == ".json":
            raise OSError(errno.ENOSPC, "No space left on device")

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(folder, "sync_path", full)
    with pytest.raises(TrajectoryError, match="No space left on device; make room"):
        main([store, "-o", str(out)])
    assert sorted(tmp_path.iterdir()) == before


def test_histograms_count_what_is_beyond_and_unknown() -> None:
    histogram = Histogram([0.0, 0.0], [1.0, 10.0], 10)
    histogram.add(np.array([[0.05, -1.0], [0.95, 10.0], [np.nan, 11.0]]))
    assert histogram.counts.sum(axis=1).tolist() == [2, 1]
    assert (histogram.below.tolist(), histogram.above.tolist()) == ([0, 1], [0, 1])
    assert histogram.unknown.tolist() == [1, 0]
    np.testing.assert_allclose(histogram.percentile(25.0), [0.05, 0.0])
    np.testing.assert_allclose(
        histogram.share_between(np.array([0.0, 9.5]), np.array([0.5, 20.0])), [0.5, 1 / 6]
    )
    assert np.isnan(Histogram(0.0, 1.0, 4).percentile(50.0)).all()


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (16.6, 16.6), (-3.2, 41.7), (0.0, 1e-4)])
def test_edges_are_round_and_hold_all(low: float, high: float) -> None:
    edges = even_edges(low, high, 40)
    assert edges[0] <= low
    assert edges[-1] >= high
    assert 1 <= len(edges) - 1 <= 42
