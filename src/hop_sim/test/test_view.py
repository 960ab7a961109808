"""`hop view`: what is drawn is where track, store and model say; pages, stills and bad input."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import mujoco
import numpy as np
import pytest

from hop_core.embodiment import load_embodiment
from hop_core.errors import ConfigError, TrackError, TrajectoryError, ViewError
from hop_core.retargeting.config import load_retarget
from hop_core.retargeting.lm_solver import LmSolver
from hop_core.retargeting.target_points import target_points
from hop_core.robot_model import robot_spec
from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.files import save_track
from hop_sim.tracks.measure import unmeasured
from hop_sim.tracks.resample import resample
from hop_sim.tracks.track import Track, TrackMeta
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics
from hop_sim.trajectories.writer import TrajectoryWriter
from hop_sim.view.drawing import Drawing, Layer
from hop_sim.view.episodes import Choice, Episodes
from hop_sim.view.hand_skeleton import CONTACT_RGB, SEEN_RGB
from hop_sim.view.keypoint_error import error_rgb
from hop_sim.view.overlay import TrackFolder
from hop_sim.view.player import Player
from hop_sim.view.shapes import Hull, convex_hull
from hop_sim.view.still import StillRenderer
from hop_sim.view.stroke_poses import stroke_poses
from hop_sim.view.track_drawing import draw_track
from hop_sim.view_cli import main

FILTERS, RETARGET = load_tracks_config().filters, load_retarget()
TABLE = np.array([0.62, -0.10, 0.04, -0.7])  # x, y, z, yaw
STEPS, LEAD_IN = 64, 7  # 65 intervals of 1/30 s in steps of 1/20 s, slowed down


@pytest.fixture(scope="module")
def track(make_known_scene) -> Track:
    """The known scene as a track."""
    scene = make_known_scene()
    half = scene.vertices.max(axis=0)
    points = np.random.default_rng(0).uniform(-half, half, (400, 3))
    side = np.random.default_rng(1).integers(0, 3, 400)
    points[np.arange(400), side] = half[side] * np.sign(points[np.arange(400), side])
    meta = TrackMeta(
        source="a test",
        subject="nobody",
        scale_source="made",
        synthetic=True,
        time_scale=1.0,
        settings="0",
        quality=unmeasured(),
    )
    frames = len(scene.keypoints_m)
    return Track(
        name="known",
        object_name="box",
        stamps_ns=np.round(np.arange(frames) / scene.fps * 1e9).astype(np.int64),
        keypoints_m=scene.keypoints_m.astype(np.float32),
        valid=np.ones(frames, dtype=bool),
        object_points_m=points.astype(np.float32),
        T_table_object=scene.T_table_object,
        meta=meta,
    )


def in_base(points_m: np.ndarray) -> np.ndarray:
    """Points of the table frame in base_link, written out."""
    x, y, z, yaw = TABLE
    turned_x = np.cos(yaw) * points_m[..., 0] - np.sin(yaw) * points_m[..., 1]
    turned_y = np.sin(yaw) * points_m[..., 0] + np.cos(yaw) * points_m[..., 1]
    return np.stack([turned_x + x, turned_y + y, points_m[..., 2] + z], axis=-1)


def build_trajectory(track: Track, attempt: int) -> Trajectory:
    """Return Eq. 1 along `track`, without physics, behind a lead-in at the home posture."""
    steps = resample(track, FILTERS)
    goals = target_points(in_base(steps.keypoints_m), RETARGET)
    solver, q = LmSolver(RETARGET), [load_embodiment().home] * LEAD_IN
    for goal in goals:
        q.append(solver.solve(goal[None], q[-1][None]).a[0])
    rows = np.array(q)
    goals = np.concatenate([np.repeat(goals[:1], LEAD_IN, axis=0), goals])
    apart = np.linalg.norm(solver.positions(rows) - goals, axis=2)[:, RETARGET.scored]
    pose = np.zeros((len(rows), 7))
    centre = in_base(steps.T_table_object[:, :3, 3])
    pose[:, :3] = np.concatenate([np.repeat(centre[:1], LEAD_IN, axis=0), centre])
    pose[:, 3], pose[:, 6] = np.cos(TABLE[3] / 2), np.sin(TABLE[3] / 2)
    contact = np.concatenate([np.zeros(LEAD_IN, dtype=bool), steps.contact])
    frames = Frames(rows, rows, np.roll(rows, -1, axis=0), pose, apart.mean(axis=1), contact)
    metrics = TrajectoryMetrics.only(kept_any=True, min_error_m=0.0123)
    obstacles = np.full((4, 7), np.nan)
    obstacles[2] = [0.4, 0.5, 0.2, 0.02, 0.1, 0.2, 0.3]
    scene = Scene(TABLE, 0.8, np.nan, obstacles)
    return Trajectory(attempt, attempt, "box", frames, metrics, scene)


@pytest.fixture(scope="module")
def folder(track: Track, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tracks/known and a store of two attempts at it."""
    root = tmp_path_factory.mktemp("view")
    save_track(track, root / "tracks")
    model = ObjectModel(track.object_points_m[:100], track.object_points_m)
    kept = [build_trajectory(track, attempt) for attempt in (1, 4)]
    info = TrackInfo(
        name="known",
        source="a test",
        synthetic=True,
        group="nobody",
        provenance={"frames": STEPS},
    )
    nothing = TrackInfo(name="hopeless", source="a test", synthetic=True, group="nobody")
    with TrajectoryWriter.create(root / "store", make_header({})) as writer:
        writer.append_track(TrackResult(nothing, 2, {"too far": 2}, [], {}))
        writer.append_track(TrackResult(info, 5, {"too far": 3}, kept, {"box": model}))
    return root


@pytest.fixture(scope="module")
def drawing(folder: Path) -> Drawing:
    return episodes(folder).drawing(1)


def episodes(folder: Path, tracks: str = "tracks") -> Episodes:
    store = TrajectoryStore.open(folder / "store")
    return Episodes(store, RETARGET, FILTERS, folder / tracks)


def of_layer(items, layer: Layer):
    return [each for each in items if each.layer is layer]


def test_a_track_is_drawn_as_it_will_be_retargeted(track: Track) -> None:
    drawing, steps = draw_track(track, FILTERS), resample(track, FILTERS)
    (hand,) = of_layer(drawing.dots, Layer.HAND)
    assert len(drawing) == len(steps.time_s) == STEPS
    assert drawing.rate_hz == pytest.approx(20.0)
    np.testing.assert_array_equal(hand.points_m, steps.keypoints_m)
    (bones,) = of_layer(drawing.strokes, Layer.HAND)
    np.testing.assert_array_equal(bones.ends_m[:, 8, 0], steps.keypoints_m[:, 0])  # wrist to 9
    np.testing.assert_array_equal(bones.ends_m[:, 8, 1], steps.keypoints_m[:, 9])
    np.testing.assert_array_equal((hand.rgb == CONTACT_RGB).all(axis=1), steps.contact)
    (seen,) = of_layer(drawing.dots, Layer.SEEN_HAND)
    nearest = np.round(steps.source_s * 30).astype(int)
    np.testing.assert_array_equal(seen.points_m[0], track.keypoints_m[0])
    np.testing.assert_allclose(seen.points_m, track.keypoints_m[nearest], atol=0.02)
    assert Layer.SEEN_HAND in drawing.hidden
    (table,) = of_layer(drawing.solids, Layer.TABLE)
    assert table.pose(0)[2] + table.shape.size_m[2] == pytest.approx(0.0)  # its top
    assert "SYNTHETIC" in drawing.facts["Track"]["source"]
    assert drawing.facts["Track"]["object"] == "box"
    assert drawing.contact[drawing.telling_frame]


def test_the_robot_is_drawn_where_the_model_says(folder: Path, drawing: Drawing) -> None:
    store, k = TrajectoryStore.open(folder / "store"), 20
    model = robot_spec().compile()
    data = mujoco.MjData(model)
    for column, layer, grown_m in (
        ("frames/q", Layer.ROBOT, 0.0),
        ("frames/q_target", Layer.TARGET, 0.0015),
    ):
        data.qpos[:] = store.read(column, store.frame_rows(1))[k]
        mujoco.mj_forward(model, data)
        solids = of_layer(drawing.solids, layer)
        assert len(solids) == model.ngeom
        for geom, solid in enumerate(solids):
            np.testing.assert_allclose(solid.pose(k)[:3], data.geom_xpos[geom], atol=1e-6)
            turn = np.empty(9)
            mujoco.mju_quat2Mat(turn, solid.pose(k)[3:])
            np.testing.assert_allclose(turn, data.geom_xmat[geom], atol=1e-6)
            assert solid.shape.size_m[0] == pytest.approx(model.geom_size[geom, 0] + grown_m)
    assert Layer.TARGET in drawing.hidden


def test_the_hand_lies_over_the_last_frames(track: Track, drawing: Drawing) -> None:
    steps = resample(track, FILTERS)
    (hand,) = of_layer(drawing.dots, Layer.HAND)
    assert len(drawing) == LEAD_IN + len(steps.time_s)
    np.testing.assert_allclose(hand.points_m[LEAD_IN:], in_base(steps.keypoints_m), atol=1e-6)
    np.testing.assert_array_equal(hand.points_m[0], hand.points_m[LEAD_IN])
    assert tuple(hand.rgb[LEAD_IN - 1]) == SEEN_RGB
    assert tuple(hand.rgb[LEAD_IN]) != SEEN_RGB
    assert "lead-in" in drawing.captions[LEAD_IN - 1]
    assert "lead-in" not in drawing.captions[LEAD_IN]
    assert "as stored differ by 0.0 mm" in drawing.facts["Trajectory"]["human hand"]
    (misses,) = of_layer(drawing.strokes, Layer.ERROR)
    drawn_m = np.linalg.norm(misses.ends_m[LEAD_IN:, :, 1] - misses.ends_m[LEAD_IN:, :, 0], axis=2)
    np.testing.assert_allclose(
        1000.0 * drawn_m.mean(axis=1), drawing.curve.values[LEAD_IN:], atol=1e-3
    )


def test_the_hand_is_as_large_as_it_was_retargeted(track: Track, folder: Path) -> None:
    info = TrackInfo(name="known", source="s", synthetic=True, group="g")
    overlay = TrackFolder(folder / "tracks", FILTERS, 1.2).overlay(info, TABLE, 2 * STEPS)
    begins = 1.2 * resample(track, FILTERS).keypoints_m[0]
    np.testing.assert_allclose(overlay.keypoints_m[overlay.lead_in], in_base(begins), atol=1e-6)


def test_scene_and_metrics_of_a_trajectory_are_told(drawing: Drawing) -> None:
    (box,) = of_layer(drawing.solids, Layer.OBSTACLES)
    np.testing.assert_allclose(box.pose(9)[:3], [0.4, 0.5, 0.2], atol=1e-6)
    assert box.shape.size_m == pytest.approx((0.02, 0.1, 0.2))
    facts, metrics = drawing.facts["Trajectory"], drawing.facts["Metrics"]
    assert (facts["attempt"], facts["friction"]) == ("4, seed 4", "0.80")
    assert facts["gain scale"] == "unknown"
    assert (metrics["kept_any"], metrics["kept_contact"]) == ("yes", "no")
    assert (metrics["min_error_m"], metrics["mean_lead_rad"]) == ("12.3 mm", "unknown")


def test_a_hand_that_is_not_at_hand_is_told(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    drawing = Episodes(
        TrajectoryStore.open(folder / "store"), RETARGET, FILTERS, tmp_path / "empty"
    ).drawing(0)
    assert Layer.HAND not in drawing.layers
    assert "holds no such track" in drawing.facts["Trajectory"]["human hand"]
    info = TrackInfo(name="known", source="s", synthetic=True, group="g")
    tracks = TrackFolder(folder / "tracks", FILTERS)
    assert tracks.overlay(info, TABLE, STEPS).lead_in == 0
    with pytest.raises(TrackError, match=f"has {STEPS} steps, the trajectory {STEPS - 1}"):
        tracks.overlay(info, TABLE, STEPS - 1)
    other = info.model_copy(update={"provenance": {"frames": STEPS - 1}})
    with pytest.raises(TrackError, match=f"of which {STEPS - 1} follow the track"):
        tracks.overlay(other, TABLE, STEPS)
    with pytest.raises(TrackError, match="where its table stood"):
        tracks.overlay(info, np.full(4, np.nan), STEPS)


def test_trajectories_are_found_by_track_attempt_and_number(folder: Path) -> None:
    found = episodes(folder)
    assert found.find(Choice()) == 0
    assert found.find(Choice(track="known")) == 0
    assert found.find(Choice(track="known", attempt=4)) == 1
    assert found.find(Choice(index=1)) == 1


def test_the_hull_of_a_box_is_the_box(known_scene) -> None:
    points = np.concatenate([known_scene.vertices, 0.5 * known_scene.vertices])
    turned = np.roll(points, 1, axis=1) + np.array([0.3, 0.0, -0.1])
    hull = convex_hull(turned)
    assert (len(hull.vertices_m), len(hull.faces)) == (8, 12)
    a, b, c = (hull.vertices_m[hull.faces[:, i]] for i in range(3))
    volume_m3 = np.einsum("fi,fi->", a, np.cross(b, c)) / 6.0  # positive: faces look outwards
    assert volume_m3 == pytest.approx(0.06 * 0.08 * 0.12, rel=1e-5)
    assert isinstance(hull, Hull)
    with pytest.raises(ViewError, match="span no solid"):
        convex_hull(turned * (1.0, 1.0, 0.0))


def test_strokes_are_cylinders_between_their_ends() -> None:
    ends = np.random.default_rng(0).normal(size=(20, 2, 3))
    ends[0, 1] = ends[0, 0] - (0.0, 0.0, 0.4)  # straight down
    ends[1, 1] = ends[1, 0]
    poses, lengths = stroke_poses(ends)
    for (start, end), pose, length in zip(ends, poses, lengths, strict=True):
        axis = np.empty(3)
        mujoco.mju_rotVecQuat(axis, np.array([0.0, 0.0, length / 2]), pose[3:])
        np.testing.assert_allclose(pose[:3] - axis, start, atol=2e-6)
        np.testing.assert_allclose(pose[:3] + axis, end, atol=2e-6)


def test_a_player_plays_pauses_and_begins_anew() -> None:
    player = Player(frames=40, rate_hz=20.0, frame=10)
    assert player.frame(100.0) == 10
    player.play(True, 100.0)
    assert player.frame(100.26) == 15
    player.set_speed(0.5, 101.0)  # at frame 30
    assert player.frame(101.51) == 35
    assert player.frame(102.02) == 0
    player.seek(3, 200.0)
    assert (player.frame(200.0), player.frame(200.11)) == (3, 4)
    player.play(False, 200.11)
    assert player.frame(300.0) == 4


def test_errors_are_green_yellow_at_3_cm_and_red() -> None:
    good, limit, bad, unknown = error_rgb(np.array([0.0, 0.03, 0.2, np.nan]))
    assert good[1] > good[0]
    assert limit[0] > 0.9
    assert limit[1] > 0.7
    assert bad[0] > 4 * bad[1]
    assert np.ptp(unknown) == 0.0


def test_stills_show_what_is_shown(drawing: Drawing) -> None:
    def picture(shown: frozenset[Layer], k: int) -> np.ndarray:
        renderer = StillRenderer(drawing, 96, 80, shown)
        try:
            return renderer.render(k).astype(int)
        finally:
            renderer.close()

    nothing = picture(frozenset(), 30)
    assert np.ptp(nothing.reshape(-1, 3), axis=0).max() <= 2
    for layer in (Layer.ROBOT, Layer.HAND, Layer.OBJECT, Layer.TABLE):
        assert (np.abs(picture(frozenset({layer}), 30) - nothing) > 20).any()
    robot = frozenset({Layer.ROBOT})
    assert (picture(robot, 0) != picture(robot, 30)).any()


def test_snapshots_are_written(folder: Path, tmp_path: Path, capsys) -> None:
    from PIL import Image

    out = tmp_path / "two.png"
    argv = ["track", str(folder / "tracks" / "known"), "--snapshot", str(out), "--frames", "2"]
    assert main(argv) == 0
    assert capsys.readouterr().out == f"{out}: known, frame 0, {STEPS - 1}\n"
    image = np.asarray(Image.open(out))
    assert image.shape[1] > 1400
    assert image.std() > 10.0
    with pytest.raises(ViewError, match=r"x\.png: cannot be written: No such file"):
        main([*argv[:3], str(tmp_path / "no" / "x.png")])


@pytest.mark.parametrize(
    ("argv", "error", "sentence"),
    [
        (["track", "tracks/nobody"], TrackError, r"nobody\.json: cannot be read"),
        (["track", "tracks/known", "--port", "70000"], ConfigError, "--port must be from 0"),
        (["track", "tracks/known", "--frames", "2"], ConfigError, "--frames goes with --snapshot"),
        (["track", "tracks/known", "--frame", "64"], ConfigError, "64 frames, from 0 to 63"),
        (["track", "tracks/known", "--snapshot", "x.png", "--frames", "0"], ViewError, "1 to as"),
        (["track", "tracks/known", "--snapshot", "."], ViewError, "is a folder; name the PNG"),
        (["track", "tracks/known", "--host", "192.0.2.1"], ViewError, "cannot listen on 192.0.2.1"),
        (["trajectory", "nowhere"], TrajectoryError, "is no trajectory store"),
        (["trajectory", "store", "--track", "other"], TrajectoryError, "has no track 'other'"),
        (["trajectory", "store", "--track", "hopeless"], TrajectoryError, "none of its 2 attempts"),
        (["trajectory", "store", "--track", "known", "--attempt", "2"], TrajectoryError,
         "attempt 2 was not kept or not made; kept are 1, 4"),
        (["trajectory", "store", "--index", "2"], TrajectoryError, "--index goes from 0 to 1"),
        (["trajectory", "store", "--attempt", "1"], TrajectoryError, "by --index alone"),
        (["trajectory", "store", "--tracks", "nowhere"], TrackError, "is no folder of tracks"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence(argv, error, sentence, folder, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(error, match=sentence):
        main(argv)


def test_a_port_in_use_is_told(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ViewError, match=f"port {port} of 127.0.0.1 is in use"):
            main(["track", str(folder / "tracks" / "known"), "--port", str(port)])


def test_a_host_that_is_none_is_told(folder: Path) -> None:
    with pytest.raises(ViewError, match=r"cannot listen on a\.\.b, port 0: that is no address"):
        main(["track", str(folder / "tracks" / "known"), "--port", "0", "--host", "a..b"])


def test_the_page_is_served_on_this_machine_until_sigterm(folder: Path) -> None:
    code = "import sys; from hop_sim.view_cli import main; sys.exit(main(sys.argv[1:]))"
    argv = ["trajectory", str(folder / "store"), "--tracks", str(folder / "tracks"), "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"known, attempt 1 at (http://127\.0\.0\.1:\d+) ;", line)
        assert found
        with urllib.request.urlopen(found[1], timeout=10.0) as answer:
            page = answer.read().decode()
        assert answer.status == 200
        assert "Viser" in page
        assert not re.search(r"(src|href)=\"https?://", page)  # nothing comes from elsewhere
        process.send_signal(signal.SIGTERM)
        rest, errors = process.communicate(timeout=10.0)
        assert (process.returncode, rest, errors) == (0, "", "")
    finally:
        process.kill()
        process.wait()
