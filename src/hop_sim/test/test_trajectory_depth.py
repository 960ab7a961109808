"""Depth of stored trajectories: pinhole geometry, the same however it is made, whole or absent."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hop_core.embodiment import load_embodiment
from hop_core.errors import ConfigError, TrajectoryError
from hop_core.kinematics import Kinematics
from hop_sim import trajectories_cli
from hop_sim.depth_rendering import render_cli
from hop_sim.depth_rendering.materialise import render_missing
from hop_sim.depth_rendering.trajectory_camera import TrajectoryCamera
from hop_sim.realism import Realism
from hop_sim.trajectories.check import check_store
from hop_sim.trajectories.clouds import cloud_rows
from hop_sim.trajectories.depth import writer as writing
from hop_sim.trajectories.depth.codes import STEP_M, decode, encode
from hop_sim.trajectories.depth.reading import StoredDepth, depth_rows
from hop_sim.trajectories.depth.recipe import DepthRecipe, load_recipe
from hop_sim.trajectories.depth.writer import DepthWriter
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.place import DurableStore
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics
from hop_sim.trajectories.writer import TrajectoryWriter

HEADER = make_header({"retarget.yaml": "0123456789abcdef"})
EXACT = load_recipe(Realism(jitter=0.0, noise=0.0))
"""The nominal camera, without noise."""
REAL = load_recipe()
T_BASE_CAM = EXACT.camera.T_base_cam
PX_PER_RATIO = 30.0 / np.tan(np.radians(58.5 / 2))
"""Pooled pixels from the middle, for a point as far off the axis as it is away."""
HALF_M = np.array([0.03, 0.04, 0.06])  # of the box
TABLE = np.array([0.5, 0.1, -0.02, 0.3])
OBSTACLE = np.array([0.45, -0.2, 0.03, 0.06, 0.05, 0.05, 0.3])
DISTANCES_M = (0.45, 0.50)
Q_TURNED = load_embodiment().home + np.array([0.2, *[0.0] * 22])


def box() -> ObjectModel:
    rng = np.random.default_rng(0)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * HALF_M
    cloud = rng.uniform(-1.0, 1.0, (100, 3))
    cloud[np.arange(100), np.arange(100) % 3] = rng.choice([-1.0, 1.0], 100)
    return ObjectModel((cloud * HALF_M).astype("f4"), corners.astype("f4"))


def before_the_camera() -> Trajectory:
    """The box on the optical axis, square to it, at DISTANCES_M; robot at home, nothing known."""
    pose = np.zeros((len(DISTANCES_M), 7))
    pose[:, :3] = T_BASE_CAM[:3, 3] + np.outer(DISTANCES_M, T_BASE_CAM[:3, 2])
    pose[:, 3:] = EXACT.camera.quaternion_wxyz
    pose[:, 3:] /= np.linalg.norm(pose[:, 3:], axis=1, keepdims=True)
    return trajectory(0, pose, load_embodiment().home, Scene.unknown())


def on_the_table(attempt: int, length: int = 3) -> Trajectory:
    """The box behind the hand, a table, an obstacle in the second of four rows; robot turned."""
    pose = np.tile([0.6, 0.25, 0.04, 1.0, 0.0, 0.0, 0.0], (length, 1))
    obstacles = np.full((4, 7), np.nan)
    obstacles[1] = OBSTACLE
    return trajectory(attempt, pose, Q_TURNED, Scene(TABLE, np.nan, np.nan, obstacles))


def trajectory(attempt: int, pose: np.ndarray, q: np.ndarray, scene: Scene) -> Trajectory:
    joints = np.tile(q, (len(pose), 1))
    error_m, contact = np.zeros(len(pose)), np.zeros(len(pose), dtype=bool)
    frames = Frames(joints, joints, joints, pose, error_m, contact)
    return Trajectory(attempt, 0, "box", frames, TrajectoryMetrics.only(), scene)


def track(name: str, kept: list[Trajectory]) -> TrackResult:
    info = TrackInfo(name=name, source="generator", synthetic=True, group=name)
    return TrackResult(info, 9, {"far": 9 - len(kept)}, kept, {"box": box()})


FIRST = track("first", [before_the_camera(), on_the_table(3)])
SECOND = track("second", [on_the_table(1), on_the_table(5, length=2)])


def write(path: Path, *tracks: TrackResult) -> TrajectoryStore:
    with TrajectoryWriter.resume(path, HEADER) as writer:
        for each in tracks:
            writer.append_track(each)
    return TrajectoryStore.open(path)


def render(path: Path, recipe: DepthRecipe = REAL, workers: int = 1, at_once: int = 5) -> list[int]:
    with DepthWriter(path, recipe) as writer:
        return list(render_missing(writer, recipe, workers, at_once))


@dataclass
class Rendered:
    """A store with its depth, and what the nominal camera without noise sees of its frames."""

    path: Path
    store: TrajectoryStore
    exact: list[np.ndarray]

    def copy(self, path: Path) -> Path:
        shutil.copytree(self.path, path)
        return path


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rendered]:
    path = tmp_path_factory.mktemp("depth") / "store"
    store = write(path, FIRST, SECOND)
    assert render(path) == [0, 1, 2, 3]
    with TrajectoryCamera(store, EXACT) as camera:
        yield Rendered(path, store, [camera.depth(number) for number in range(2)])


def pixel(point: np.ndarray) -> tuple[int, int, float]:
    """Where a point (3,) in base_link is in the pooled image: row, column, depth [m]."""
    x, y, z = T_BASE_CAM[:3, :3].T @ (point - T_BASE_CAM[:3, 3])
    row, column = (int(np.floor(30.0 + PX_PER_RATIO * ratio / z)) for ratio in (y, x))
    return row, column, float(z)


def problems(store: TrajectoryStore) -> dict[str, str]:
    return {part: problem for part, problem in check_store(store) if problem}


def test_a_box_is_as_far_and_as_large_as_the_pinhole_says(rendered: Rendered) -> None:
    for image, distance_m in zip(rendered.exact[0], DISTANCES_M, strict=True):
        face_m = distance_m - HALF_M[2]
        assert image[28:32, 28:32] == pytest.approx(face_m, abs=1e-3)
        on_face = np.abs(image - face_m) < 2e-3
        for axis, half_m in ((1, HALF_M[0]), (0, HALF_M[1])):
            wide = 2.0 * half_m / face_m * PX_PER_RATIO
            # A pixel at the edge mixes the face with what is behind it.
            assert wide - 2.0 < on_face.take(30, axis=1 - axis).sum() <= wide


def test_the_robot_is_where_forward_kinematics_says(rendered: Rendered) -> None:
    home, turned = (image[0] for image in rendered.exact)
    for image, q in ((home, load_embodiment().home), (turned, Q_TURNED)):
        for finger in ("index_tip", "ring_tip"):
            tip = Kinematics().site_pose(q, finger)[:3, 3]
            row, column, depth_m = pixel(tip)  # the centre of a sphere of 12 mm, below its finger
            assert depth_m - 0.03 < image[row, column] < depth_m


def test_table_and_obstacle_are_seen_where_they_are_and_not_where_unknown(
    rendered: Rendered,
) -> None:
    unknown, known = (image[0] for image in rendered.exact)
    top = OBSTACLE[:3] + np.array([0.0, 0.0, OBSTACLE[5]])
    for point in (np.array([0.55, -0.3, TABLE[2]]), top):
        row, column, depth_m = pixel(point)
        assert known[row, column] == pytest.approx(depth_m, abs=0.008)
        assert unknown[row, column] == pytest.approx(1.0)  # beyond lies the floor, clipped


def test_both_observations_come_from_the_same_rows(rendered: Rendered) -> None:
    store, rows = rendered.store, rendered.store.frame_rows(0)
    clouds = cloud_rows(store, rows)
    assert clouds.shape == (2, 100, 3)
    assert clouds.dtype == np.float32
    for cloud, image in zip(clouds, rendered.exact[0], strict=True):
        front = [point for point in cloud if pixel(point)[2] < cloud_front(cloud) + 1e-4]
        assert len(front) > 10
        for row, column, depth_m in map(pixel, front):
            assert image[row - 1 : row + 2, column - 1 : column + 2].min() == pytest.approx(
                depth_m, abs=1e-3
            )
    everything = slice(None)
    np.testing.assert_array_equal(cloud_rows(store, everything)[rows], clouds)
    assert len(cloud_rows(store, everything)) == len(depth_rows(store, everything)) == 10
    pairs = store.pairs()
    assert depth_rows(store, everything)[pairs.observation].shape == (len(pairs), 60, 60)


def cloud_front(cloud: np.ndarray) -> float:
    """Depth of the nearest point [m]."""
    return min(pixel(point)[2] for point in cloud)


def test_stored_on_demand_and_over_processes_are_equal_to_the_bit(
    rendered: Rendered, tmp_path: Path
) -> None:
    with TrajectoryCamera(rendered.store, REAL) as camera:
        on_demand = [camera.depth(number) for number in range(3, -1, -1)][::-1]
        poses = [camera.T_base_cam(number) for number in range(4)]
    stored = depth_rows(rendered.store, slice(None))
    np.testing.assert_array_equal(np.concatenate(on_demand), stored)
    write(tmp_path / "store", SECOND, FIRST)  # images do not depend on where a trajectory lies
    assert render(tmp_path / "store", workers=2, at_once=1) == [0, 1, 2, 3]
    other = TrajectoryStore.open(tmp_path / "store")
    np.testing.assert_array_equal(depth_rows(other, slice(0, 5)), stored[5:])
    np.testing.assert_array_equal(depth_rows(other, slice(5, 10)), stored[:5])
    assert problems(other) == {}
    # Pose and noise are drawn anew for each trajectory, noise for each frame.
    moved = np.array(poses)[:, :3, 3] - T_BASE_CAM[:3, 3]
    assert len(np.unique(moved)) == 12
    assert 0.0 < np.abs(moved).max() <= 0.04
    assert not np.array_equal(stored[2], stored[3])
    assert not np.array_equal(stored[2], stored[5])


def test_codes_keep_a_quarter_of_a_millimetre() -> None:
    depth_m = np.random.default_rng(0).uniform(0.05, 1.0, (4, 60, 60)).astype("f4")
    assert np.abs(decode(encode(depth_m)) - depth_m).max() <= STEP_M / 2 + 1e-7
    np.testing.assert_array_equal(encode(decode(encode(depth_m))), encode(depth_m))


class KilledError(Exception):
    """The process ends here."""


def test_a_stop_at_any_write_leaves_whole_trajectories_and_is_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = tmp_path / "fresh"
    content = write(fresh, FIRST, SECOND).content
    rng = np.random.default_rng(0)
    images = [rng.integers(200, 4000, (length, 60, 60), dtype="u2") for length in (2, 3, 3, 2)]
    left = 0
    real_set, real_record = DurableStore.set, writing.write_record

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KilledError

    async def set_or_die(self: DurableStore, key: str, value: object) -> None:
        step()
        await real_set(self, key, value)

    def record_or_die(*arguments: object) -> None:
        step()
        real_record(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(DurableStore, "set", set_or_die)
    monkeypatch.setattr(writing, "write_record", record_or_die)
    monkeypatch.setattr(writing, "CODE_CHUNK_ROWS", 4)

    def append_missing(path: Path) -> None:
        with DepthWriter(path, REAL) as writer:
            while writer.trajectories < 4:
                writer.append(images[writer.trajectories : writer.trajectories + 2])

    append_missing(shutil.copytree(fresh, tmp_path / "counted"))
    steps, seen = -left, set()
    for stop in (1, steps // 4, steps // 2, steps - 4, steps - 1, steps):
        path, left = shutil.copytree(fresh, tmp_path / f"stopped_{stop}"), stop
        with pytest.raises(KilledError):
            append_missing(path)
        try:
            seen.add(StoredDepth(TrajectoryStore.open(path)).record.trajectories)
        except TrajectoryError as error:
            seen.add(str(error).replace(str(path), "STORE"))
        append_missing(path)
        store = TrajectoryStore.open(path)
        np.testing.assert_array_equal(StoredDepth(store).codes(slice(None)), np.concatenate(images))
        assert problems(store) == {}
        assert store.content == content
    missing = "STORE: its depth is not rendered; run hop trajectories render-depth STORE"
    assert seen == {missing, 0, 2}


def test_a_store_that_has_grown_gets_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "store"
    write(path, FIRST)
    assert render_cli.render_main([str(path), "--workers", "1", "--json"]) == 0
    old = depth_rows(TrajectoryStore.open(path), slice(None))
    store = write(path, SECOND)
    np.testing.assert_array_equal(depth_rows(store, slice(0, 5)), old)
    with pytest.raises(TrajectoryError, match="for 5 of 10 frames; go on with hop trajectories"):
        depth_rows(store, slice(4, 6))
    assert problems(store) == {}
    assert render(path) == [2, 3]
    assert depth_rows(store, slice(None)).shape == (10, 60, 60)


def test_what_does_not_belong_together_is_refused(rendered: Rendered, tmp_path: Path) -> None:
    bare, path = write(tmp_path / "bare", SECOND, FIRST), rendered.copy(tmp_path / "store")
    with pytest.raises(TrajectoryError, match="not rendered; run hop trajectories render-depth"):
        depth_rows(bare, slice(None))
    for arguments, told in ((["--noise", "2"], "with noise 1.0"), (["--seed", "3"], "with seed 0")):
        with pytest.raises(TrajectoryError, match=told):
            render_cli.render_main([str(path), *arguments])
    for arguments in (
        ["--workers", "0"],
        ["--noise", "-1"],
        ["--noise", "inf"],
        ["--jitter", "nan"],
    ):
        with pytest.raises(ConfigError, match="must be"):
            render_cli.render_main([str(path), *arguments])
    coarse = REAL.model_copy(
        update={"camera": REAL.camera.model_copy(update={"resolution": "640x360"})}
    )
    with pytest.raises(TrajectoryError, match=r"with camera\.resolution 320x180"):
        render(path, coarse)
    with DepthWriter(path, REAL), pytest.raises(TrajectoryError, match="by another process"):
        TrajectoryWriter(path)
    with pytest.raises(TrajectoryError, match="no trajectory store"):
        render_cli.render_main([str(tmp_path / "nowhere")])
    shutil.copytree(path / "depth", tmp_path / "bare" / "depth")
    for use in (lambda: depth_rows(bare, slice(None)), lambda: render(tmp_path / "bare")):
        with pytest.raises(TrajectoryError, match="other trajectories than it holds: remove"):
            use()
    assert list(problems(bare)) == ["depth"]


def test_check_names_the_track_whose_images_are_damaged(
    rendered: Rendered, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rendered.copy(tmp_path / "store")
    with DepthWriter(path, REAL) as writer:
        codes = writer._codes
        image = writer._arrays.read(codes, slice(0, 10))
        image[7, 30, 30] += 1
        writer._arrays.write(codes, 0, image)
        writer._files.force()
    assert trajectories_cli.check_main([str(path)]) == 1
    assert "depth of track 'second': sha256: images of trajectory 2" in capsys.readouterr().err
    (path / "depth" / "codes" / "c.0.0.0").unlink()
    assert set(problems(TrajectoryStore.open(path))) == {
        f"depth of track '{name}'" for name in ("first", "second")
    }


def test_a_merge_leaves_depth_out_and_says_so(
    rendered: Rendered, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "merged"
    assert trajectories_cli.merge_main([str(rendered.path), "--out", str(out)]) == 0
    told = f"rendered again by hop trajectories render-depth {out}"
    assert told in capsys.readouterr().out
    assert not (out / "depth").exists()
