"""The trajectory store: what goes in comes out, whatever stops the writer; damage is named."""

import errno
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hop_core.errors import TrajectoryError
from hop_sim import trajectories_cli
from hop_sim.trajectories.check import check_store
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.layout import COLUMNS, EPISODE_COLUMNS, FRAME_COLUMNS
from hop_sim.trajectories.merge import merge_stores
from hop_sim.trajectories.place import DurableStore
from hop_sim.trajectories.poses import fit_poses, posed
from hop_sim.trajectories.reading import read_track
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics
from hop_sim.trajectories.writer import TrajectoryWriter

HEADER = make_header({"retarget.yaml": "0123456789abcdef"})


def model(seed: int) -> ObjectModel:
    rng = np.random.default_rng(seed)
    cloud, surface = rng.normal(0, 0.04, (100, 3)), rng.normal(0, 0.04, (300 + seed, 3))
    return ObjectModel(cloud.astype("f4"), surface.astype("f4"))


def assert_same(model: ObjectModel, other: ObjectModel) -> None:
    np.testing.assert_array_equal(model.cloud, other.cloud)
    np.testing.assert_array_equal(model.surface, other.surface)


def trajectory(seed: int, attempt: int, object_name: str, length: int) -> Trajectory:
    rng = np.random.default_rng((seed, attempt))
    pose = rng.normal(size=(length, 7))
    pose[:, 3:] /= np.linalg.norm(pose[:, 3:], axis=1, keepdims=True)
    q, q_raw, q_target = rng.normal(size=(3, length, 23)).astype("f4")
    error_m = rng.uniform(0, 0.05, length)
    frames = Frames(q, q_raw, q_target, pose, error_m, rng.random(length) < 0.5)
    metrics = TrajectoryMetrics.only(
        kept_any=True, kept_contact=attempt % 2 == 0, median_contact_error_m=float(error_m.mean())
    )
    scene = Scene(rng.normal(size=4), 0.8, 1.1, np.full((4, 7), np.nan))
    return Trajectory(attempt, seed * 1000 + attempt, object_name, frames, metrics, scene)


def result(seed: int, kept: int = 3, length: int = 20) -> TrackResult:
    """What came of 7 attempts at track number `seed`."""
    name = f"object_{seed % 2}"
    kept_ones = [trajectory(seed, 2 * i, name, length + i) for i in range(kept)]
    rejections = {"keypoints too far": 6 - kept, "arm touches table": 1}
    info = TrackInfo(
        name=f"track_{seed}", source="generator", synthetic=True, group=f"subject_{seed}"
    )
    return TrackResult(info, 7, rejections, kept_ones, {name: model(seed % 2)})


class MakeStore:
    """Makes each kind of store once, and copies of it for the tests that ask."""

    def __init__(self, masters: Path) -> None:
        self.masters = masters

    def __call__(self, path: Path, seeds: range, **options: int) -> TrajectoryStore:
        master = self.masters / f"{seeds}{options}"
        if not master.exists():
            with TrajectoryWriter.create(master, HEADER) as writer:
                for seed in seeds:
                    writer.append_track(result(seed, **options))
        shutil.copytree(master, path)
        return TrajectoryStore.open(path)


@pytest.fixture(scope="module")
def make_store(tmp_path_factory: pytest.TempPathFactory) -> MakeStore:
    return MakeStore(tmp_path_factory.mktemp("masters"))


def problems(store: TrajectoryStore) -> dict[str, str]:
    return {part: problem for part, problem in check_store(store) if problem}


def test_what_goes_in_comes_out(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", range(3))
    assert [row.info.name for row in store.tracks] == ["track_0", "track_1", "track_2"]
    assert len(store) == 9
    assert store.frames == 3 * (20 + 21 + 22)
    for seed, row in enumerate(store.tracks):
        put_in, out = result(seed), read_track(store, row)
        assert (out.attempts, out.rejections) == (put_in.attempts, put_in.rejections)
        assert list(out.objects) == list(put_in.objects)
        assert_same(out.objects[f"object_{seed % 2}"], model(seed % 2))
        for ours, theirs in zip(out.trajectories, put_in.trajectories, strict=True):
            assert (ours.attempt, ours.seed) == (theirs.attempt, theirs.seed)
            for column in FRAME_COLUMNS:
                wanted = column.array(getattr(theirs.frames, column.name))
                np.testing.assert_array_equal(getattr(ours.frames, column.name), wanted)
            assert ours.metrics.kept_contact == theirs.metrics.kept_contact
            assert np.isnan(ours.metrics.max_penetration_m)
            np.testing.assert_allclose(ours.scene.table_xyz_yaw, theirs.scene.table_xyz_yaw, 1e-6)
    assert problems(store) == {}


def test_columns_say_what_they_are(make_store: MakeStore, tmp_path: Path) -> None:
    make_store(tmp_path / "store", range(1))
    about = json.loads((tmp_path / "store" / "frames" / "q" / "zarr.json").read_text())
    assert about["zarr_format"] == 3
    assert about["attributes"]["unit"] == "rad"
    header = TrajectoryStore.open(tmp_path / "store").header
    assert header.joint_names[7] == "allegro_index_0"
    assert (header.rate_hz, header.frame) == (20.0, "base_link")


def test_the_label_of_an_observation_is_the_next_target(tmp_path: Path) -> None:
    """In the toy stream target k is 1000 m + k and posture k too: the lag of one step shows."""
    path, lengths = tmp_path / "store", (5, 2, 9)
    toys = []
    for m, length in enumerate(lengths):
        toy = trajectory(0, m, "object_0", length)
        number = (1000.0 * m + np.arange(length))[:, None] * np.ones(23)
        frames = Frames(number, number, number, *list(vars(toy.frames).values())[3:])
        toys.append(Trajectory(m, m, "object_0", frames, toy.metrics, toy.scene))
    with TrajectoryWriter.create(path, HEADER) as writer:
        info = TrackInfo(name="toy", source="toy", synthetic=True, group="toy")
        writer.append_track(TrackResult(info, 3, {}, toys, {"object_0": model(0)}))
        store = writer.store()
    pairs = store.pairs()
    q, target = store.read("frames/q"), store.read("frames/q_target")
    assert len(pairs) == sum(lengths) - len(lengths)
    np.testing.assert_array_equal(target[pairs.label], q[pairs.observation] + 1.0)
    np.testing.assert_array_equal(q[pairs.observation][:, 0] // 1000, pairs.trajectory)
    chosen = store.pairs(np.array([False, True, True]))
    assert set(chosen.trajectory) == {1, 2}
    np.testing.assert_array_equal(target[chosen.label], q[chosen.observation] + 1.0)
    assert store.frame_rows(2) == slice(7, 16)


def test_tracks_with_nothing_kept_are_remembered(tmp_path: Path) -> None:
    with TrajectoryWriter.create(tmp_path / "store", HEADER) as writer:
        writer.append_track(result(0, kept=0))
        store = writer.store()
    assert (len(store), store.frames, len(store.pairs())) == (0, 0, 0)
    assert store.tracks[0].attempts == 7
    assert store.tracks[0].rejections == {"keypoints too far": 6, "arm touches table": 1}
    assert problems(store) == {}


def test_objects_are_stored_once(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", range(4))
    assert [row.name for row in store.objects] == ["object_0", "object_1"]
    np.testing.assert_array_equal(
        store.read("episodes/object"), [0] * 3 + [1] * 3 + [0] * 3 + [1] * 3
    )
    assert_same(store.model(store.objects[1]), model(1))


def test_clouds_follow_from_poses_and_poses_from_clouds() -> None:
    """The pose that turns x to y by a quarter about z is written by hand."""
    half = np.sqrt(0.5)
    poses = np.array([[0.5, 0.1, 0.2, half, 0.0, 0.0, half], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    points = np.array([[0.1, 0.0, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 0.3], [0.1, 0.1, 0.1]])
    clouds = posed(points, poses)
    np.testing.assert_allclose(clouds[0][:2], [[0.5, 0.2, 0.2], [0.3, 0.1, 0.2]], atol=1e-12)
    np.testing.assert_allclose(posed(np.stack([points, points]), poses), clouds)
    found, residual = fit_poses(points, clouds)
    np.testing.assert_allclose(found, poses, atol=1e-9)
    assert residual.max() < 1e-9
    assert fit_poses(points, clouds * [1.0, 1.0, -1.0])[1].min() > 0.01  # a mirror image


BROKEN = {
    "attempts": lambda r: vars(r) | {"attempts": 8},
    "is not among the objects": lambda r: vars(r) | {"objects": {}},
    "attempt: must rise": lambda r: vars(r) | {"trajectories": r.trajectories[::-1]},
    "q_target: must be": lambda r: with_frames(r, q_target=np.zeros((20, 22))),
    "contact: has 3 rows": lambda r: with_frames(r, contact=np.zeros(3, bool)),
    "q: holds NaN": lambda r: with_frames(r, q=np.full((20, 23), np.nan)),
    "must have length 1": lambda r: with_frames(r, object_pose=np.ones((20, 7))),
    "obstacles: must be": lambda r: with_first(
        r, scene=Scene(np.zeros(4), 0.8, 1.0, np.zeros((2, 7)))
    ),
    "min_error_m: must be numbers": lambda r: with_first(
        r, metrics=TrajectoryMetrics.only(min_error_m="small")
    ),
    "another surface": lambda r: vars(r) | {"objects": {"object_0": model(5)}},
    "is there already": lambda r: vars(r) | {"track": result(0).track},
}


def with_first(good: TrackResult, **changed: object) -> dict[str, object]:
    first = Trajectory(**(vars(good.trajectories[0]) | changed))  # type: ignore[arg-type]
    return vars(good) | {"trajectories": [first, *good.trajectories[1:]]}


def with_frames(good: TrackResult, **changed: np.ndarray) -> dict[str, object]:
    return with_first(good, frames=Frames(**(vars(good.trajectories[0].frames) | changed)))


def test_unsound_tracks_are_refused_and_leave_nothing(tmp_path: Path) -> None:
    with TrajectoryWriter.create(tmp_path / "store", HEADER) as writer:
        writer.append_track(result(0))
        before = writer.store().content
        for sentence, change in BROKEN.items():
            with pytest.raises(TrajectoryError, match=sentence):
                writer.append_track(TrackResult(**change(result(2))))  # type: ignore[arg-type]
        assert writer.store().content == before
        writer.append_track(result(2))
        assert problems(writer.store()) == {}


KILLED = """
import os, pickle, signal, sys
from hop_sim.trajectories.writer import TrajectoryWriter

results, header, runs = pickle.load(open(sys.argv[1], "rb"))
os.fsync = lambda descriptor: None

def changes_a_file(event, arguments):
    return event in ("os.rename", "os.truncate", "os.remove") or (
        event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR))

def run(path, stop_at):
    done = 0
    def watch(event, arguments):
        nonlocal done
        if changes_a_file(event, arguments):
            done += 1
            if done == stop_at:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)
    with TrajectoryWriter.resume(path, header) as writer:
        for result in results:
            if result.track.name not in writer.tracks:
                writer.append_track(result)
    return done

for path, stop_at in runs:
    child = os.fork()
    if not child:
        steps = run(path, stop_at)
        path.with_suffix(".steps").write_text(str(steps))
        os._exit(0)
    os.waitpid(child, 0)
"""


def run_killed(folder: Path, results: list[TrackResult], stops: list[int]) -> list[Path]:
    """Append `results` once per stop, each killed at that change of a file; return the stores."""
    paths = [folder / f"killed_{stop}" for stop in stops]
    job = folder / "job.pickle"
    job.write_bytes(pickle.dumps((results, HEADER, list(zip(paths, stops, strict=True)))))
    subprocess.run([sys.executable, "-c", KILLED, str(job)], check=True, timeout=100)
    return paths


def test_a_kill_at_any_moment_leaves_whole_tracks_and_resumes_without_duplicates(
    tmp_path: Path,
) -> None:
    results = [result(seed, kept=2, length=5) for seed in range(2)]
    (whole,) = run_killed(tmp_path, results, [-1])
    wanted = TrajectoryStore.open(whole).content
    steps = int(whole.with_suffix(".steps").read_text())
    # All over the run, and the last ones: the second track's tables, its commit and the rename.
    stops = [*np.linspace(2, steps - 8, 4).astype(int).tolist(), steps - 3, steps - 1, steps]
    seen = set()
    for path in run_killed(tmp_path, results, stops):
        assert not path.with_suffix(".steps").exists(), "was not killed"
        if path.exists():
            store = TrajectoryStore.open(path)
            seen.add(len(store.tracks))
            assert [row.info.name for row in store.tracks] == ["track_0", "track_1"][
                : len(store.tracks)
            ]
            assert problems(store) == {}
        with TrajectoryWriter.resume(path, HEADER) as writer:
            for each in results:
                if each.track.name not in writer.tracks:
                    writer.append_track(each)
            assert writer.store().content == wanted
            assert problems(writer.store()) == {}
        assert not list(path.rglob("*.partial"))
    assert seen >= {0, 1}


def test_what_lies_beyond_the_commit_is_cut(make_store: MakeStore, tmp_path: Path) -> None:
    path = tmp_path / "store"
    store = make_store(path, range(1))
    before = {file: file.read_bytes() for file in path.glob("*.json*")}
    with TrajectoryWriter(path) as writer:
        writer.append_track(result(1))
    for file, content in before.items():  # as if it had been stopped just before its commit
        if file.name == "commit.json":
            file.write_bytes(content)
    (path / "frames" / "q" / "c.9.abc.partial").write_bytes(b"half")
    assert TrajectoryStore.open(path).content == store.content
    assert problems(TrajectoryStore.open(path)) == {}
    with TrajectoryWriter(path) as writer:
        writer.append_track(result(2))
        names = [row.info.name for row in writer.store().tracks]
        assert names == ["track_0", "track_2"]
        assert problems(writer.store()) == {}
    assert not list(path.rglob("*.partial"))


def test_a_full_disk_is_told_and_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    put = DurableStore.set

    async def full(self: DurableStore, key: str, value: object) -> None:
        nonlocal writes
        writes += 1
        if writes > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        await put(self, key, value)

    with TrajectoryWriter.create(tmp_path / "store", HEADER) as writer:
        writer.append_track(result(0))
        with monkeypatch.context() as patch:
            patch.setattr(DurableStore, "set", full)
            with pytest.raises(
                TrajectoryError, match="No space left on device; the store is whole"
            ):
                writer.append_track(result(1))
        assert problems(writer.store()) == {}
        assert len(writer.store().tracks) == 1
        writer.append_track(result(1))  # room was made
        assert problems(writer.store()) == {}
        assert len(writer.store()) == 6


def test_a_full_disk_at_creation_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: DurableStore, key: str, value: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(DurableStore, "set", full)
    with pytest.raises(TrajectoryError, match="cannot be made: No space left"):
        TrajectoryWriter.create(tmp_path / "store", HEADER)
    assert list(tmp_path.iterdir()) == []


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def test_damage_is_named(make_store: MakeStore, tmp_path: Path) -> None:
    path = tmp_path / "store"
    make_store(path, range(3), length=6000)  # 16384 frames a chunk: the third is of two tracks
    flip(path / "frames" / "q_target" / "c.2.0")
    found = problems(TrajectoryStore.open(path))
    assert list(found) == ["track 'track_1'", "track 'track_2'"]
    with pytest.raises(TrajectoryError, match=r"q_target: rows|track 'track_2': sha256"):
        read_track(TrajectoryStore.open(path), TrajectoryStore.open(path).tracks[2])
    (path / "objects" / "cloud" / "c.0.0.0").unlink()  # Zarr reads a lost chunk as zeros
    assert "object 'object_0'" in problems(TrajectoryStore.open(path))


def test_rows_behind_a_damaged_chunk_are_refused(make_store: MakeStore, tmp_path: Path) -> None:
    path = tmp_path / "store"
    make_store(path, range(1))
    before = (path / "commit.json").read_bytes()
    chunk = path / "frames" / "q_target" / "c.0.0"
    chunk.write_bytes(chunk.read_bytes()[:100])
    wanted = r"frames/q_target: the rows before row \d+ cannot be read"
    with TrajectoryWriter(path) as writer, pytest.raises(TrajectoryError, match=wanted):
        writer.append_track(result(1))
    assert (path / "commit.json").read_bytes() == before


def test_wrong_numbers_in_the_index_are_named(make_store: MakeStore, tmp_path: Path) -> None:
    import zarr

    path = tmp_path / "store"
    make_store(path, range(3))
    group = zarr.open_group(path, mode="r+")
    group["episodes/start"][4] = 0
    group["metrics/min_error_m"][7] = 0.001
    found = problems(TrajectoryStore.open(path))
    assert "episodes/start" in found["track 'track_1'"]
    assert "sha256" in found["track 'track_2'"]
    group["episodes/object"][0] = 7
    assert "names no object" in problems(TrajectoryStore.open(path))["track 'track_0'"]


def test_stores_merge_to_the_same_content_as_one_run(make_store: MakeStore, tmp_path: Path) -> None:
    whole = make_store(tmp_path / "whole", range(4))
    parts = [
        make_store(tmp_path / name, seeds) for name, seeds in (("b", range(2, 4)), ("a", range(2)))
    ]
    out = tmp_path / "merged"
    merging = merge_stores(parts, out)
    assert next(merging)[0].info.name == "track_2"
    merging.close()  # stopped after one track
    added = [new for _row, new in merge_stores(parts, out)]
    assert added == [False, True, True, True]
    assert not any(new for _row, new in merge_stores(parts[::-1], out))
    merged = TrajectoryStore.open(out)
    assert merged.content == whole.content
    assert [row.name for row in merged.objects] == ["object_0", "object_1"]
    assert problems(merged) == {}


def test_stores_that_do_not_go_together_are_refused(make_store: MakeStore, tmp_path: Path) -> None:
    one, same = (make_store(tmp_path / name, range(1)) for name in ("one", "same"))
    with pytest.raises(TrajectoryError, match=r"track 'track_0' is in .*one too"):
        list(merge_stores([one, same], tmp_path / "out"))
    other = make_header({"retarget.yaml": "another"})
    TrajectoryWriter.create(tmp_path / "other", other).close()
    with pytest.raises(
        TrajectoryError, match=r"'retarget.yaml' is another, .* has 0123456789abcdef"
    ):
        list(merge_stores([one, TrajectoryStore.open(tmp_path / "other")], tmp_path / "out"))
    with pytest.raises(TrajectoryError, match=r"'retarget.yaml' is 0123456789abcdef, this run has"):
        TrajectoryWriter.resume(tmp_path / "one", other)
    assert not (tmp_path / "out").exists()
    two, three = (make_store(tmp_path / f"s{seed}", [seed]) for seed in (2, 3))
    with pytest.raises(TrajectoryError, match="is one of the stores to be merged"):
        list(merge_stores([one, two], tmp_path / "one"))
    list(merge_stores([one, two], tmp_path / "out"))
    with pytest.raises(TrajectoryError, match="no merge of just these stores"):
        list(merge_stores([one, two, three], tmp_path / "out"))
    with pytest.raises(TrajectoryError, match="is a URL, and stores are made on this machine"):
        list(merge_stores([one, two], Path("s3://bucket/out")))


def test_a_store_of_another_version_is_refused(make_store: MakeStore, tmp_path: Path) -> None:
    path = tmp_path / "store"
    make_store(path, range(1))
    commit = path / "commit.json"
    commit.write_text(commit.read_text().replace('"version": 1', '"version": 2'))
    for opened in (TrajectoryStore.open, TrajectoryWriter):
        with pytest.raises(TrajectoryError, match=r"commit\.json: version: is 2, this software"):
            opened(path)
    commit.write_text("{}")
    with pytest.raises(TrajectoryError, match="Field required; the file is damaged"):
        TrajectoryStore.open(path)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError, match="is no trajectory store"):
        TrajectoryStore.open(tmp_path)
    with pytest.raises(TrajectoryError, match="is no trajectory store"):
        TrajectoryWriter(tmp_path / "nowhere")
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(TrajectoryError, match="is there and is no trajectory store"):
        TrajectoryWriter.create(tmp_path, HEADER)
    with pytest.raises(TrajectoryError, match="cannot be opened"):
        TrajectoryStore.open("nonsense://somewhere/store")


def test_only_one_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with (
        TrajectoryWriter.create(path, HEADER),
        pytest.raises(TrajectoryError, match="is being written by another process"),
    ):
        TrajectoryWriter(path)
    TrajectoryWriter(path).close()


def test_a_reader_sees_what_was_committed_when_it_opened(tmp_path: Path) -> None:
    with TrajectoryWriter.create(tmp_path / "store", HEADER) as writer:
        writer.append_track(result(0))
        early = writer.store()
        writer.append_track(result(1))
        assert len(early.read("frames/q")) == early.frames == 63
        assert problems(early) == {}
        assert writer.store().frames == 126


def test_a_store_is_read_from_any_address(make_store: MakeStore, tmp_path: Path) -> None:
    import fsspec

    local = make_store(tmp_path / "store", range(2))
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "store"), "/trajectories", recursive=True)
    try:
        remote = TrajectoryStore.open("memory://trajectories")
        assert remote.content == local.content
        np.testing.assert_array_equal(remote.read("frames/q"), local.read("frames/q"))
        assert problems(remote) == {}
    finally:
        memory.rm("/trajectories", recursive=True)


def test_columns_are_read_by_name_and_contiguously(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", range(1))
    for column in COLUMNS.values():
        assert store.read(column.path).shape == (store.commit.rows(column), *column.shape)
    assert len(store.read("frames/q", slice(5, 21))) == 16
    with pytest.raises(TrajectoryError, match="frames/qq: is no column; there are frames/q"):
        store.read("frames/qq")
    with pytest.raises(TrajectoryError, match="contiguous"):
        store.read("frames/q", slice(None, None, 2))


def test_the_command_lists_sums_up_checks_and_merges(
    make_store: MakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two, out = (str(tmp_path / name) for name in ("one", "two", "out"))
    make_store(Path(one), range(2))
    make_store(Path(two), range(2, 3), kept=0)
    assert trajectories_cli.merge_main([one, two, "-o", out]) == 0
    assert "3 tracks added" in capsys.readouterr().out

    assert trajectories_cli.list_main([out, "--json"]) == 0
    tracks = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["trajectories"] for each in tracks] == [3, 3, 0]
    assert tracks[0]["kept_any"] == 3
    assert tracks[2]["rejections"] == {"keypoints too far": 6, "arm touches table": 1}
    assert trajectories_cli.list_main([out]) == 0
    assert "SYNTHETIC" in capsys.readouterr().out

    assert trajectories_cli.stats_main([out, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["attempts"], figures["kept_any"]) == (21, 6)
    assert figures["kept_any_share"] == pytest.approx(6 / 21, abs=1e-4)
    assert figures["rejections"] == {"keypoints too far": 12, "arm touches table": 3}
    assert figures["tracks_with_nothing_kept"] == 1
    assert figures["metrics"]["median_contact_error_m"]["known"] == 6
    assert figures["uncompressed_bytes_per_frame"] == 3 * 23 * 4 + 7 * 4 + 4 + 1
    assert (figures["depth_bytes"], figures["bytes"] > 0) == (0, True)
    low, high = figures["joints_rad"]["joint1"]
    assert low < 0.0 < high
    assert trajectories_cli.stats_main([out]) == 0

    assert trajectories_cli.check_main([out]) == 0
    shutil.rmtree(Path(out) / "metrics" / "kept_any")
    assert trajectories_cli.check_main([out]) == 1
    assert "metrics/kept_any: is missing" in capsys.readouterr().err


def test_columns_cover_the_frames_and_the_trajectories() -> None:
    assert [column.name for column in FRAME_COLUMNS] == [
        "q", "q_raw", "q_target", "object_pose", "keypoint_error_m", "contact",
    ]  # fmt: skip
    names = {column.path for column in EPISODE_COLUMNS}
    assert {"episodes/start", "episodes/seed", "metrics/kept_contact", "scene/obstacles"} <= names
