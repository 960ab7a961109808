"""Import of the HOP release: numbers in the right place, nothing run, bad files told.

The files are written here from known values, by formulas of their own.
"""

import io
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_core.errors import TrajectoryError
from hop_core.safety_config import load_safety
from hop_sim import trajectories_cli
from hop_sim.trajectories.check import check_store
from hop_sim.trajectories.poses import posed
from hop_sim.trajectories.release.audit import LimiterAudit
from hop_sim.trajectories.release.config import load_release_config
from hop_sim.trajectories.release.file import read_file
from hop_sim.trajectories.release.folders import find_folders
from hop_sim.trajectories.release.importer import ImportSettings, import_release
from hop_sim.trajectories.release.unpickle import read_dictionary
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.writer import TrajectoryWriter

CONFIG = load_release_config()
SETTINGS = ImportSettings(release=CONFIG, safety=load_safety())
T = 24
FINGERS = ("index", "middle", "ring", "thumb")


def angle(name: str, frame: int) -> float:
    """A value that tells joint and frame [rad]; every joint allows it."""
    number = (
        7 + 4 * FINGERS.index(name.split("_")[1]) + int(name[-1])
        if "_" in name
        else int(name[5:]) - 1
    )
    return 0.3 + 0.005 * number + 0.001 * frame


def known_cloud(seed: int = 0) -> np.ndarray:
    """(100, 3) points of an object, about 5 cm wide, in a frame of its own [m]."""
    return np.random.default_rng(seed).uniform(-0.05, 0.05, (100, 3))


def points_in_base(frame: int, seed: int = 0) -> np.ndarray:
    """(100, 3) the object in base_link: it turns about z and x and rises [m]."""
    a, b = 0.2 * frame, 0.5
    Rz = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    Rx = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return known_cloud(seed) @ (Rz @ Rx).T + [0.55, -0.1 + 0.01 * frame, 0.1 + 0.02 * frame]


def in_env(points: np.ndarray) -> np.ndarray:
    """The release's frame: the robot stands at (0, 0.45, 0) and looks along -y."""
    x, y, z = points.T
    return np.stack([y, 0.45 - x, z], axis=1)


def contents(seed: int = 0, **changed: Any) -> dict[str, Any]:
    """What one file of the release holds; hand joints 0-15 are index, middle, ring, thumb."""
    names = [f"joint{i}" for i in range(1, 8)] + [
        f"allegro_{f}_{i}" for f in FINGERS for i in range(4)
    ]
    q = [np.array([angle(name, k) for name in names]) for k in range(T)]
    return {
        "robot_qpos": q,
        "target_qpos": [row + 0.01 for row in q],
        "object_pc": [in_env(points_in_base(k, seed)).astype(np.float32) for k in range(T)],
        **changed,
    }


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, content, allow_pickle=True)
    return path


def write_tree(root: Path) -> None:
    write(root / "subject_1" / "clip_1" / "0.npy", contents())
    write(root / "subject_1" / "clip_1" / "1.npy", contents())
    write(root / "subject_2" / "clip_1" / "0.npy", contents(seed=7))
    write(root / "subject_2" / "clip_2" / "0.npy", contents())


def import_tree(root: Path, out: Path, settings: ImportSettings = SETTINGS) -> list[Any]:
    with TrajectoryWriter.resume(out, settings.header()) as writer:
        return list(import_release(root, writer, settings))


def test_everything_is_in_its_place(tmp_path: Path) -> None:
    write_tree(tmp_path / "train")
    reports = import_tree(tmp_path / "train", tmp_path / "store")
    assert [each.folder for each in reports] == [
        "subject_1/clip_1",
        "subject_2/clip_1",
        "subject_2/clip_2",
    ]
    assert max(each.residual_m for each in reports) < 1e-5
    store = TrajectoryStore.open(tmp_path / "store")
    assert [row.info.group for row in store.tracks][:2] == [
        "hop_release/subject_1",
        "hop_release/subject_2",
    ]
    assert len(store) == 4
    assert len(store.objects) == 2  # three files show the same one, in two folders
    np.testing.assert_array_equal(store.read("episodes/object"), [0, 0, 1, 0])
    seeds = [0, 0, 7, 0]
    for m, seed in enumerate(seeds):
        rows = store.frame_rows(m)
        q, target = store.read("frames/q", rows), store.read("frames/q_target", rows)
        wanted = [[angle(name, k) for name in JOINT_NAMES] for k in range(T)]
        np.testing.assert_allclose(q, wanted, atol=1e-6)
        np.testing.assert_allclose(target, q + 0.01, atol=1e-6)
        np.testing.assert_array_equal(store.read("frames/q_raw", rows), target)
        cloud = store.model(store.objects[store.read("episodes/object")[m]]).cloud
        in_base = posed(cloud, store.read("frames/object_pose", rows))
        np.testing.assert_allclose(in_base, [points_in_base(k, seed) for k in range(T)], atol=1e-5)
    assert np.isnan(store.read("frames/keypoint_error_m")).all()
    assert store.read("metrics/kept_any").all()
    assert not store.read("metrics/kept_contact").any()
    assert not any(problem for _part, problem in check_store(store))


def test_an_import_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    write_tree(tmp_path / "train")
    import_tree(tmp_path / "train", tmp_path / "whole")
    with TrajectoryWriter.resume(tmp_path / "store", SETTINGS.header()) as writer:
        next(iter(import_release(tmp_path / "train", writer, SETTINGS)))
    assert [each.there for each in import_tree(tmp_path / "train", tmp_path / "store")] == [
        True,
        False,
        False,
    ]
    stores = [TrajectoryStore.open(tmp_path / name) for name in ("store", "whole")]
    assert stores[0].content == stores[1].content


def test_a_folder_of_the_same_name_is_the_same_only_with_the_same_files(tmp_path: Path) -> None:
    write_tree(tmp_path / "train")
    import_tree(tmp_path / "train", tmp_path / "store")
    before = TrajectoryStore.open(tmp_path / "store").content
    write(tmp_path / "train" / "subject_1" / "clip_1" / "0.npy", contents(seed=7))
    reports = import_tree(tmp_path / "train", tmp_path / "store")
    assert [each.there for each in reports] == [False, True, True]
    assert "another track" in reports[0].problems[0]
    assert TrajectoryStore.open(tmp_path / "store").content == before


def by_simulator(content: dict[str, Any]) -> dict[str, Any]:
    """The same with the thumb's four before those of middle and ring."""
    order = [*range(11), 19, 20, 21, 22, *range(11, 19)]
    turned = {key: [row[order] for row in content[key]] for key in ("robot_qpos", "target_qpos")}
    return {**content, **turned}


def test_joints_are_taken_by_name(tmp_path: Path) -> None:
    plain = read_file(write(tmp_path / "a.npy", contents()), CONFIG)
    turned = read_file(write(tmp_path / "b.npy", by_simulator(contents())), CONFIG, "simulator")
    np.testing.assert_array_equal(plain.q, turned.q)
    np.testing.assert_array_equal(plain.q_target, turned.q_target)


def by_numpy_1(path: Path) -> Path:
    """As NumPy 1.21 wrote it: protocol 3, and the names that its modules had."""
    content = np.empty((), dtype=object)
    content[()] = contents()
    pickled = pickle.dumps(content, protocol=3).replace(b"numpy._core.", b"numpy.core.")
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    path.write_bytes(file.getvalue() + pickled)
    return path


WAYS: dict[str, Callable[[Path], Path]] = {
    "arrays": lambda path: write(
        path, {key: np.array(rows) for key, rows in contents().items()} | {"fps": 20, "tag": "x"}
    ),
    "object arrays": lambda path: write(
        path, {key: np.array([*rows, None], dtype=object)[:-1] for key, rows in contents().items()}
    ),
    "lists": lambda path: write(
        path, {key: [row.tolist() for row in rows] for key, rows in contents().items()}
    ),
    "scalars": lambda path: write(
        path, contents(robot_qpos=[list(row) for row in contents()["robot_qpos"]])
    ),
    "columns first": lambda path: write(
        path, {key: np.asfortranarray(rows) for key, rows in contents().items()}
    ),
    "numpy 1": by_numpy_1,
}


@pytest.mark.parametrize("way", WAYS)
def test_arrays_come_in_many_ways(tmp_path: Path, way: str) -> None:
    plain = read_file(write(tmp_path / "a.npy", contents()), CONFIG)
    other = read_file(WAYS[way](tmp_path / "b.npy"), CONFIG)
    np.testing.assert_array_equal(plain.q, other.q)
    np.testing.assert_allclose(plain.cloud, other.cloud, atol=1e-7)


class Call:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


class Thing:
    """Any class."""


MALICIOUS: dict[str, Callable[[Path], Any]] = {
    "a command": lambda mark: contents(extra=Call(os.system, f"touch {mark}")),
    "code": lambda mark: contents(robot_qpos=Call(eval, f"open({str(mark)!r}, 'w')")),
    "the file itself": lambda mark: Call(os.mkdir, str(mark)),
    "inside an array": lambda mark: contents(
        object_pc=np.array([Call(os.mkdir, str(mark))], dtype=object)
    ),
    "a numpy function": lambda mark: contents(extra=Call(np.save, f"{mark}", 1.0)),
    "an array's method": lambda mark: contents(
        extra=Call(np.ndarray.tofile, np.zeros(1), f"{mark}")
    ),
    "a class": lambda _mark: contents(extra=Thing()),
    "a path": lambda mark: contents(extra=mark),
}


@pytest.mark.parametrize("attack", MALICIOUS)
def test_files_that_would_run_something_are_refused(tmp_path: Path, attack: str) -> None:
    mark = tmp_path / "mark"
    path = write(tmp_path / "evil.npy", MALICIOUS[attack](mark))
    with pytest.raises(TrajectoryError, match=r"evil\.npy: holds .*, which is refused"):
        read_dictionary(path)
    assert not mark.exists()


def raw(*codes: bytes) -> bytes:
    """The start of a pickled object array of protocol 2, then `codes`."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": ()})
    return file.getvalue() + b"\x80\x02" + b"".join(codes) + b"."


@pytest.mark.parametrize(
    "codes",
    [
        b"cnumpy._core.multiarray\n_reconstruct\n}X\x01\x00\x00\x00aK\x01sb",  # changes a function
        b"cnumpy\nndarray\n)R",  # calls the class
        b"cnumpy\nndarray\n)\x81",  # makes an instance
        b"Pelsewhere\n",  # a reference to something outside
        b"cnumpy\ndtype\n(X\x01\x00\x00\x00OtR",  # a bare element type
        b"cnumpy._core.multiarray\nscalar\n(K\x01K\x02tR",
    ],
)
def test_crafted_pickles_are_refused(tmp_path: Path, codes: bytes) -> None:
    path = tmp_path / "evil.npy"
    path.write_bytes(raw(codes))
    with pytest.raises(TrajectoryError, match=r"evil\.npy"):
        read_dictionary(path)
    assert read_file(write(tmp_path / "good.npy", contents()), CONFIG).q.shape == (T, 23)


def moved(points: list[np.ndarray], frame: int, by_m: float) -> list[np.ndarray]:
    rows = [row.copy() for row in points]
    rows[frame][17, 2] += by_m
    return rows


NAN = [np.full(23, np.nan)] * T
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"object_pc": None}, "object_pc: must be a list or array of frames, got NoneType"),
    "shape": ({"robot_qpos": np.zeros((T, 22))}, r"robot_qpos: must be frames of \(\d+, 23\)"),
    "row": (
        {"target_qpos": [np.zeros(23)] * (T - 1) + [np.zeros(7)]},
        r"target_qpos: must be frames",
    ),
    "lengths": ({"robot_qpos": np.zeros((T + 1, 23))}, "equally many frames"),
    "short": ({key: rows[:9] for key, rows in contents().items()}, "at least 16"),
    "nan": ({"robot_qpos": NAN}, "robot_qpos: frame 0 holds NaN"),
    "text": ({"robot_qpos": [["a"] * 23] * T}, "robot_qpos: must hold numbers, got str"),
    "degrees": ({"robot_qpos": np.full((T, 23), 57.0)}, "robot_qpos: joint1 is 57 in frame 0"),
    "millimetres": ({"object_pc": np.full((T, 100, 3), 500.0)}, "object_pc: a point is 8"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_files_are_named_with_the_field(tmp_path: Path, fault: str) -> None:
    changed, sentence = BAD[fault]
    path = write(tmp_path / "bad.npy", contents(**changed))
    with pytest.raises(TrajectoryError, match=rf"bad\.npy: .*{sentence}"):
        read_file(path, CONFIG)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.npy", contents()).read_bytes()
    for content in (b"", whole[:60], whole[: len(whole) // 2], b"\x93NUMPY\x09\x00"):
        path = tmp_path / "bad.npy"
        path.write_bytes(content)
        with pytest.raises(TrajectoryError, match=r"bad\.npy: is damaged or no \.npy file"):
            read_file(path, CONFIG)
    with pytest.raises(TrajectoryError, match="where a dictionary is expected"):
        read_file(write(tmp_path / "plain.npy", np.zeros(3)), CONFIG)
    with pytest.raises(TrajectoryError, match=r"robot_qpos: is missing; the file holds q"):
        read_file(write(tmp_path / "other.npy", {"q": 1.0}), CONFIG)


@pytest.mark.parametrize(("by_m", "fits"), [(0.0009, True), (0.0015, False)])
def test_a_cloud_must_be_rigid_to_a_millimetre(tmp_path: Path, by_m: float, fits: bool) -> None:
    bent = contents(object_pc=moved(contents()["object_pc"], 5, by_m))
    write(tmp_path / "train" / "s" / "e" / "0.npy", bent)
    (report,) = import_tree(tmp_path / "train", tmp_path / "store")
    if fits:
        assert report.residual_m == pytest.approx(by_m, rel=0.05)
    else:
        assert "0.npy: object_pc: is not rigid: in frame 5 a point is 1.4" in report.problems[0]
        assert len(TrajectoryStore.open(tmp_path / "store")) == 0


def test_a_bad_file_keeps_its_folder_out_unless_it_is_left_out(tmp_path: Path) -> None:
    root = tmp_path / "train"
    write_tree(root)
    write(root / "subject_1" / "clip_1" / "2.npy", contents(robot_qpos=NAN))
    reports = import_tree(root, tmp_path / "store")
    assert [bool(each.problems) for each in reports] == [True, False, False]
    assert [row.info.name for row in TrajectoryStore.open(tmp_path / "store").tracks] == [
        "subject_2/clip_1",
        "subject_2/clip_2",
    ]
    lenient = SETTINGS.model_copy(update={"leave_out_bad_files": True})
    import_tree(root, tmp_path / "store", lenient)
    row = TrajectoryStore.open(tmp_path / "store").tracks[2]
    assert (row.attempts, row.trajectories) == (3, 2)
    assert row.rejections == {"file cannot be used": 1}


def test_files_lie_two_levels_deep(tmp_path: Path) -> None:
    write(tmp_path / "release" / "train" / "s" / "e" / "0.npy", contents())
    with pytest.raises(TrajectoryError, match=r"0\.npy: lies at another depth"):
        find_folders(tmp_path / "release")
    (tmp_path / "nothing").mkdir()
    with pytest.raises(TrajectoryError, match="holds no SUBJECT/EPISODE"):
        find_folders(tmp_path / "nothing")
    assert [each.name for each in find_folders(tmp_path / "release" / "train")] == ["s/e"]


def test_the_audit_counts_the_steps_that_the_deployment_would_limit() -> None:
    audit, home = LimiterAudit(load_safety()), load_embodiment().home
    rest = np.tile(home, (T, 1))
    assert audit.limited_share(rest, rest) == 0.0
    slow = rest.copy()
    slow[:, 9] += 0.05 * np.linspace(0, 1, T) ** 2
    assert audit.limited_share(rest, slow) == 0.0
    jump = rest.copy()
    jump[12:, 0] += 0.3  # 6 rad/s, three times the arm's limit
    assert 1 / (T - 1) <= audit.limited_share(rest, jump) < 0.5


def test_the_command_imports_and_tells_what_it_could_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "train", str(tmp_path / "store")
    write_tree(root)
    assert trajectories_cli.import_main([str(root), "-o", out]) == 0
    assert "3 episodes imported, 0 were there, 0 with problems" in capsys.readouterr().out
    write(root / "subject_3" / "clip_1" / "0.npy", {"robot_qpos": Call(os.getcwd)})
    assert trajectories_cli.import_main([str(root), "-o", out, "--json"]) == 1
    captured = capsys.readouterr()
    reports = [json.loads(line) for line in captured.out.splitlines()]
    assert [each["there"] for each in reports] == [True, True, True, False]
    assert "which is refused" in reports[3]["problems"][0]
    assert "0.npy: holds posix.getcwd" in captured.err
    with pytest.raises(TrajectoryError, match="'joint_order' is disk"):
        trajectories_cli.import_main([str(root), "-o", out, "--joint-order", "simulator"])
