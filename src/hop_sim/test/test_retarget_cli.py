"""`hop retarget`: what it stores and says, what it refuses, and what a stop leaves."""

from __future__ import annotations

import configparser
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import psutil
import pytest

import hop_sim.retarget_cli
from hop_core.config import config_path
from hop_core.errors import ConfigError, TrackError, TrajectoryError
from hop_sim.retarget import ray_runner
from hop_sim.retarget.engine import Engine
from hop_sim.retarget.part import Worker
from hop_sim.retarget_cli import main
from hop_sim.tracks.assemble import Origin, Sighting, assemble
from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.files import load_track, save_track
from hop_sim.tracks.resample import Track20, resample
from hop_sim.tracks.track import Track
from hop_sim.trajectories.check import check_store
from hop_sim.trajectories.reading import read_track
from hop_sim.trajectories.store import TrajectoryStore

CONFIG = load_tracks_config()
NAMES = ("reach_a", "reach_b")
ATTEMPTS = 3
SEED = 4
RUN = ("--attempts", str(ATTEMPTS), "--seed", str(SEED), "--threads", "1")
HOP = (sys.executable, "-m", "hop_core.cli", "retarget")


def track_of(track20: Track20, name: str, object_name: str = "box") -> Track:
    """A track of the known scene, as an import makes it, at a place of its own."""
    by = 0.002 * sum(name.encode()) % 0.05
    frames = len(track20.time_s)
    everywhere, T = np.ones(frames, dtype=bool), track20.T_table_object.copy()
    T[:, 0, 3] += by
    sighting = Sighting(
        stamps_ns=np.round(track20.time_s * 1e9).astype(np.int64),
        keypoints_m=track20.keypoints_m + np.array([by, 0.0, 0.0]),
        hand_seen=everywhere,
        T_table_object=T,
        object_seen=everywhere,
        object_points_m=track20.object_points_m,
    )
    origin = Origin(name, object_name, "test", "nobody", "made in metres", "0", {})
    return assemble(sighting, origin, CONFIG, name)


@pytest.fixture(scope="module")
def track(track20: Track20) -> Track:
    return track_of(track20, "other")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, track20: Track20) -> Path:
    """A folder with the tracks and the store of a whole run over them."""
    folder = tmp_path_factory.mktemp("made")
    for name in NAMES:
        save_track(track_of(track20, name), folder / "tracks")
    assert main([str(folder / "tracks"), "-o", str(folder / "store"), *RUN]) == 0
    return folder


@pytest.fixture
def tracks(made: Path, tmp_path: Path) -> Path:
    """A copy of the folder of tracks."""
    return shutil.copytree(made / "tracks", tmp_path / "tracks")


@pytest.fixture
def whole(made: Path) -> TrajectoryStore:
    return TrajectoryStore.open(made / "store")


def test_another_track_of_the_same_name_is_no_track_that_was_there(
    made, tracks, tmp_path, capsys
) -> None:
    store = shutil.copytree(made / "store", tmp_path / "store")
    changed = load_track(tracks / f"{NAMES[0]}.json")
    save_track(replace(changed, keypoints_m=changed.keypoints_m + 0.001), tracks)
    content = TrajectoryStore.open(store).content
    capsys.readouterr()
    assert main([str(tracks), "-o", str(store), *RUN]) == 1
    told = capsys.readouterr()
    assert f"the store has another track of the name '{NAMES[0]}'" in told.err
    assert "0 tracks retargeted, 1 were there, 1 failed" in told.out
    assert TrajectoryStore.open(store).content == content


def sound(path: Path) -> TrajectoryStore:
    """The store at `path`, after a check of everything in it."""
    store = TrajectoryStore.open(path)
    assert not [problem for _, problem in check_store(store) if problem]
    return store


def names(store: TrajectoryStore) -> list[str]:
    return [row.info.name for row in store.tracks]


def test_a_store_says_of_each_track_what_became_of_its_attempts(whole, made) -> None:
    sound(made / "store")
    assert names(whole) == list(NAMES)
    assert len(whole) > 0
    for row in whole.tracks:
        assert row.attempts == ATTEMPTS
        assert row.trajectories + sum(row.rejections.values()) == ATTEMPTS
        assert row.info.group == "test/nobody"
        assert not row.info.synthetic
        assert row.info.provenance["unsolved_steps"] == 0
    assert set(whole.read("episodes/seed")) == {SEED}
    assert {row.name for row in whole.objects} == {"box"}
    assert set(whole.header.settings) == {
        "retarget_engine", "retarget", "safety", "track_filters", "robot", "draws",
    }  # fmt: skip


def test_a_trajectory_is_drawn_again_from_seed_attempt_and_name(
    whole, made, retarget_settings
) -> None:
    settings = retarget_settings
    engine = Engine(settings.engine, settings.eq1, settings.safety, "lm", threads=2)
    row = whole.tracks[-1]
    stored = read_track(whole, row).trajectories[-1]
    track = load_track(made / "tracks" / f"{row.info.name}.json")
    again = engine.run(
        resample(track, CONFIG.filters), range(stored.attempt, stored.attempt + 1), stored.seed
    )
    for name in ("q", "q_raw", "q_target", "object_pose"):
        frames = getattr(again, name)[0].astype(np.float32)
        np.testing.assert_array_equal(getattr(stored.frames, name), frames)


def test_json_agrees_with_the_store_and_threads_change_nothing(
    tracks, whole, tmp_path, capsys
) -> None:
    store = tmp_path / "not" / "yet" / "store"  # folders on the way are made
    argv = [str(tracks), "-o", str(store), *RUN[:-1], "2", "--json"]
    assert main(argv) == 0
    figures = json.loads(capsys.readouterr().out)
    assert sound(store).content == whole.content
    assert (figures["retargeted"], figures["was_there"], figures["failed"]) == (2, 0, 0)
    assert figures["attempts"] == 2 * ATTEMPTS
    for reading in ("kept_any", "kept_contact"):
        assert figures[reading] == whole.read(f"metrics/{reading}").sum()
    assert [each["name"] for each in figures["tracks"]] == list(NAMES)
    assert figures["tracks"][0]["reasons"] == []


def test_a_second_run_finds_all_there_and_changes_nothing(made, capsys) -> None:
    store = made / "store"
    before = {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in store.rglob("*") if f.is_file()}
    assert main([str(made / "tracks"), "-o", str(store), *RUN]) == 0
    out = capsys.readouterr().out
    assert out.startswith("0 tracks retargeted, 2 were there, 0 failed; the store is ")
    assert "kept of" not in out
    after = {f: (f.stat().st_mtime_ns, f.read_bytes()) for f in store.rglob("*") if f.is_file()}
    assert {f.name for f in before if before[f] != after.get(f)} <= {"zarr.json", "lock"}
    assert {f: content for f, (_, content) in before.items()} == {
        f: content for f, (_, content) in after.items()
    }


def test_the_summary_names_the_limits_in_force(tracks, tmp_path, capsys) -> None:
    config = shutil.copytree(config_path("retarget_engine.yaml").parent, tmp_path / "config")
    file = config / "retarget_engine.yaml"
    text = file.read_text().replace("error_m: 0.03 ", "error_m: 0.04 ")
    file.write_text(text.replace("contact_share: 0.8 ", "contact_share: 0.5 "))
    argv = [str(tracks / "reach_a.json"), "-o", str(tmp_path / "store"), *RUN]
    assert main([*argv, "--config-dir", str(config)]) == 0
    out = capsys.readouterr().out
    assert "kept of 3 attempts, error below 4 cm in some frame: " in out
    assert "in 50% of the contact frames: " in out


def object_over_table_m(store: TrajectoryStore) -> np.ndarray:
    """(3,) where the object is in the track's table frame at the end of the first trajectory."""
    x, y, z, yaw = store.read("scene/table_xyz_yaw")[0].astype(float)
    p = store.read("frames/object_pose", store.frame_rows(0))[-1, :3] - [x, y, z]
    return np.array(
        [np.cos(yaw) * p[0] + np.sin(yaw) * p[1], np.cos(yaw) * p[1] - np.sin(yaw) * p[0], p[2]]
    )


def test_another_scale_is_that_of_hand_and_object(tracks, whole, tmp_path) -> None:
    """About the same point: the hand stays on the object, the object over its table."""
    config = shutil.copytree(config_path("retarget.yaml").parent, tmp_path / "config")
    file = config / "retarget.yaml"
    file.write_text(file.read_text().replace("scale: 1.0 ", "scale: 1.1 "))
    argv = [str(tracks), "-o", str(tmp_path / "store"), *RUN, "--config-dir", str(config)]
    assert main(argv) == 0
    store = sound(tmp_path / "store")
    surfaces = [each.model(each.objects[0]).surface for each in (store, whole)]
    np.testing.assert_allclose(surfaces[0], 1.1 * surfaces[1], rtol=1e-6)
    ours, theirs = object_over_table_m(store), object_over_table_m(whole)
    np.testing.assert_allclose(ours, 1.1 * theirs, atol=1e-3)  # time is stretched a little more
    assert len(store)
    assert np.median(store.read("metrics/median_contact_error_m")) < 0.03
    assert np.median(store.read("metrics/median_tip_distance_error_m")) < 0.015
    with pytest.raises(TrajectoryError, match=r"'retarget' \(of retarget\.yaml\) is "):
        main([str(tracks), "-o", str(tmp_path / "store"), *RUN])


def spoilt(track: Track, folder: Path, name: str, **changes: object) -> Path:
    """A track of another name with some of its arrays changed, saved."""
    return save_track(replace(track, name=name, **changes), folder)


def test_bad_tracks_are_named_and_the_others_go_on(tracks, track, whole, tmp_path, capsys) -> None:
    cut = tracks / "reach_0.npz"
    for ending in (".npz", ".json"):
        shutil.copy(tracks / f"reach_a{ending}", cut.with_suffix(ending))
    about = cut.with_suffix(".json")
    about.write_text(about.read_text().replace('"reach_a"', '"reach_0"'))
    cut.write_bytes(cut.read_bytes()[:-100])
    mirrored = track.keypoints_m * np.array([1.0, -1.0, 1.0], np.float32)
    T = track.T_table_object.copy()
    T[:, 1] *= -1.0
    T[:, :, 1] *= -1.0
    spoilt(track, tracks, "left", keypoints_m=mirrored, T_table_object=T)
    spoilt(track, tracks, "huge", keypoints_m=track.keypoints_m * np.float32(100.0))
    flat = track.object_points_m * np.array([0.0, 1.0, 1.0], np.float32)
    spoilt(track, tracks, "flat", object_name="sheet", object_points_m=flat)
    other = track.object_points_m * np.float32(0.95)
    spoilt(track, tracks, "z_shrunk", object_points_m=other)
    missing = tmp_path / "nowhere.json"
    argv = [str(tracks), str(missing), "-o", str(tmp_path / "store"), *RUN, "--json"]
    assert main(argv) == 1
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert (figures["retargeted"], figures["failed"]) == (2, 6)
    assert sound(tmp_path / "store").content == whole.content
    lines = said.err.splitlines()
    for sentence in (
        f"{cut}: sha256: the arrays are not those of reach_0.json",
        f"{tracks}/left.json: keypoints_m: the fingers bend to the back of a right hand",
        f"{tracks}/huge.json: keypoints_m: wrist to middle knuckle is 9.5 m, allowed are",
        f"{tracks}/flat.json: object_points_m: no solid can be made of the points",
        f"{tracks}/z_shrunk.json: {tmp_path}/store: object 'box' has another surface than in",
        f"{missing}: cannot be read: No such file",
    ):
        assert len([line for line in lines if line.startswith(sentence)]) == 1, sentence
    assert all(line.startswith((str(tmp_path), "tracks: ")) for line in lines)  # no second lines
    assert not list((tmp_path / "store").rglob("*.partial"))


def test_both_files_of_a_track_are_one_track_but_a_name_belongs_to_one(
    tracks, whole, tmp_path, capsys
) -> None:
    """`hop retarget tracks/*` names .npz and .json of each."""
    other = shutil.copytree(tracks, tmp_path / "copy")
    argv = [*map(str, sorted(tracks.iterdir())), str(other), "-o", str(tmp_path / "store"), *RUN]
    assert main([*argv, "--json"]) == 1
    said = capsys.readouterr()
    figures = json.loads(said.out)
    assert (figures["retargeted"], figures["was_there"], figures["failed"]) == (2, 0, 2)
    assert f"{other}/reach_a.json: name: is that of {tracks}/reach_a.json too" in said.err
    assert sound(tmp_path / "store").content == whole.content


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (("--seed", "5"), r"store: settings: 'draws' is .*\"seed\": 4.* different stores"),
        (("--attempts", "4"), r"'retarget_engine' \(of --attempts and .* different stores"),
        (("--solver", "nlopt"), r"store: settings: 'draws' is .*lm.* this run has .*nlopt"),
    ],
)
def test_a_store_made_otherwise_is_not_gone_on_with(changed, sentence, made, whole) -> None:
    with pytest.raises(TrajectoryError, match=sentence):
        main([str(made / "tracks"), "-o", str(made / "store"), *RUN, *changed])
    assert TrajectoryStore.open(made / "store").content == whole.content


@pytest.mark.parametrize(
    ("argv", "error", "sentence"),
    [
        (("--seed", "-1"), ConfigError, "--seed must be 0 to"),
        (("--seed", str(2**63)), ConfigError, "--seed must be 0 to"),
        (("--threads", "0"), ConfigError, "--threads must be at least 1, got 0"),
        (("--attempts", "0"), ConfigError, "--attempts: attempts: .*greater than or equal to 1"),
        (("--config-dir", "/nowhere"), ConfigError, r"no configuration 'retarget_engine\.yaml'"),
    ],
)
def test_wrong_arguments_are_one_sentence(argv, error, sentence, made, tmp_path) -> None:
    with pytest.raises(error, match=sentence):
        main([str(made / "tracks"), "-o", str(tmp_path / "store"), *RUN, *argv])
    assert list(tmp_path.iterdir()) == []


def test_a_store_among_its_tracks_is_refused(made) -> None:
    with pytest.raises(ConfigError, match=r"lies in .*tracks, whose tracks are taken"):
        main([str(made / "tracks"), "-o", str(made / "tracks" / "robot"), *RUN])


@pytest.mark.parametrize("where", ["", "nowhere", "nowhere.json"])
def test_a_place_without_tracks_is_told_and_no_store_is_made(tmp_path, where) -> None:
    with pytest.raises(TrackError, match="there is no track; see hop tracks --help"):
        main([str(tmp_path / where), "-o", str(tmp_path / "store")])
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_whole_tracks_and_goes_on(
    tracks, whole, tmp_path, monkeypatch
) -> None:
    work, argv = Worker.work, [str(tracks), "-o", str(tmp_path / "store"), *RUN]

    def until_the_second(self, track: Track20, numbers: range):
        if track.name == NAMES[1]:
            raise KeyboardInterrupt
        return work(self, track, numbers)

    monkeypatch.setattr(Worker, "work", until_the_second)
    with pytest.raises(KeyboardInterrupt):
        main(argv)
    assert names(sound(tmp_path / "store")) == [NAMES[0]]
    monkeypatch.undo()
    assert main(argv) == 0
    assert sound(tmp_path / "store").content == whole.content


def test_without_ray_the_flag_says_how_to_get_it(made, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setenv("RAY_ADDRESS", "ray://anywhere:1")
    with pytest.raises(ConfigError, match=r"pip install -r requirements/ray\.txt"):
        main([str(made / "tracks"), "-o", str(tmp_path / "store"), *RUN, "--ray"])


@pytest.mark.parametrize("address", ["127.0.0.1:1", "somewhere"])
def test_a_cluster_that_does_not_answer_is_told(address, made, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(ConfigError, match=f"RAY_ADDRESS: nobody answers at '{address}'"):
        main([str(made / "tracks"), "-o", str(tmp_path / "store"), *RUN, "--ray"])


def test_a_cluster_that_does_not_start_is_told_and_left(made, tmp_path, monkeypatch) -> None:
    """Ray raises a plain exception when its own processes take too long."""

    def slow(*_: object, **__: object) -> None:
        raise Exception("The current node timed out during startup. This\nmay be so")

    ended: list[bool] = []
    ray = ModuleType("ray")
    ray.init, ray.shutdown = slow, lambda: ended.append(True)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for name in ray_runner._LOCAL:
        monkeypatch.setenv(name, "0")
    sentence = "--ray: the cluster 'local' cannot be joined .*timed out during startup. This\\);"
    with pytest.raises(ConfigError, match=sentence):
        main([str(made / "tracks"), "-o", str(tmp_path / "store"), *RUN, "--ray"])
    assert ended == [True]


def test_the_verb_is_registered() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(hop_sim.retarget_cli.__file__).parents[1] / "setup.cfg")
    assert "retarget = hop_sim.retarget_cli:main" in setup["options.entry_points"]["hop.verbs"]


def started(argv: list[str], until: Callable[[], bool]) -> subprocess.Popen[str]:
    """The command `hop retarget`, running, once `until` is so."""
    process = subprocess.Popen(
        [*HOP, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60.0
    while not until():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return process


def committed(store: Path) -> int:
    """Number of tracks in a store that is being written."""
    file = store / "commit.json"
    return int(json.loads(file.read_text())["tracks"]) if file.exists() else 0


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory, track20: Track20) -> Path:
    """A folder with four tracks, and the store of an uninterrupted run of some seconds."""
    folder = tmp_path_factory.mktemp("longer")
    for name in "abcd":
        save_track(track_of(track20, name), folder / "tracks")
    assert main([str(folder / "tracks"), "-o", str(folder / "store"), "--attempts", "40"]) == 0
    return folder


@pytest.mark.slow
def test_a_run_killed_twice_equals_an_uninterrupted_one(longer, tmp_path) -> None:
    store = tmp_path / "store"
    argv = [str(longer / "tracks"), "-o", str(store), "--attempts", "40"]
    for tracks_there in (1, 2):
        process = started(argv, lambda n=tracks_there: committed(store) >= n)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert tracks_there <= len(sound(store).tracks) < 4
    assert main(argv) == 0
    assert sound(store).content == TrajectoryStore.open(longer / "store").content


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_whole_store_and_no_traceback(number, longer, tmp_path) -> None:
    store = tmp_path / "store"
    argv = [str(longer / "tracks"), "-o", str(store), "--attempts", "40"]
    process = started(argv, lambda: committed(store) >= 1)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert (out, err) == ("", "hop retarget: interrupted\n")
    assert 1 <= len(sound(store).tracks) < 4


needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="needs Ray: pip install -r requirements/ray.txt",
)


def rays_own() -> set[int]:
    """Processes of Ray on this machine."""
    everything = psutil.process_iter(["pid", "cmdline"])
    return {
        process.pid
        for process in everything
        if any("ray::" in word or "/ray/" in word for word in process.info["cmdline"] or [])
    }


@needs_ray
@pytest.mark.slow
def test_ray_makes_the_same_store_and_leaves_nothing_behind(longer, tmp_path, track) -> None:
    """Also with a track that fails in a worker: it is one sentence, and the others go on."""
    before = rays_own()
    tracks, store = shutil.copytree(longer / "tracks", tmp_path / "tracks"), tmp_path / "store"
    flat = track.object_points_m * np.array([0.0, 1.0, 1.0], np.float32)
    file = spoilt(track, tracks, "flat", object_name="sheet", object_points_m=flat)
    argv = [str(tracks), "-o", str(store), "--attempts", "40", "--ray", "--json"]
    environment = {name: v for name, v in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [*HOP, *argv], capture_output=True, text=True, env=environment, timeout=110, check=False
    )
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["retargeted"] == 4
    (sentence,) = [line for line in done.stderr.splitlines() if not line.startswith("tracks: ")]
    assert sentence.startswith(f"{file}: object_points_m: no solid can be made of the points")
    assert sound(store).content == TrajectoryStore.open(longer / "store").content
    time.sleep(1.0)
    assert rays_own() <= before


@needs_ray
@pytest.mark.slow
def test_ray_listens_on_this_machine_alone_and_ends_at_a_signal(longer, tmp_path) -> None:
    before, store = rays_own(), tmp_path / "store"
    argv = [str(longer / "tracks"), "-o", str(store), "--attempts", "200", "--ray"]
    process = started(argv, lambda: committed(store) >= 1)
    family = psutil.Process(process.pid).children(recursive=True)
    listening = [
        each.laddr.ip
        for member in family
        for each in member.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err.endswith("hop retarget: interrupted\n")  # Ray's core may tell of tasks that waited
    assert "Traceback" not in err
    assert names(sound(store))[:1] == ["a"]
    time.sleep(1.0)
    assert rays_own() <= before
