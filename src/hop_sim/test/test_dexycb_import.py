"""DexYCB trees: written here from a known hand through several cameras, read back by the importer.

The writer knows the layout of the released archives and nothing of the importer.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import yaml

from hop_sim.tracks.batch import Outcome, Result, run
from hop_sim.tracks.config import TracksConfig, load_tracks_config
from hop_sim.tracks.dexycb_import import dexycb_jobs
from hop_sim.tracks.files import load_track
from hop_sim.tracks.track import Track
from hop_sim.tracks_cli import main

CONFIG: TracksConfig = load_tracks_config()
SERIALS = ("836212060125", "839512060362", "840412060917")
MASTER = SERIALS[2]
SUBJECT, SEQUENCE = "20200709-subject-01", "20200709_141754"
GRASPED, OTHERS = 3, (2, 11)  # 3 is the sugar box
NAME = f"dexycb_{SUBJECT}_{SEQUENCE}"


def rigid(roll: float, pitch: float, yaw: float, *at: float) -> np.ndarray:
    """A pose (4, 4) by angles about x, y, z [rad] and a place [m]."""
    (cr, sr), (cp, sp), (cy, sy) = ((np.cos(a), np.sin(a)) for a in (roll, pitch, yaw))
    T = np.eye(4)
    T[:3, :3] = (
        np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        @ np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        @ np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    )
    T[:3, 3] = at
    return T


# The world is the master camera; the tag lies askew before it.
T_WORLD_TAG = rigid(2.1, -0.2, 0.7, 0.12, 0.21, 0.95)
T_WORLD_CAM = {
    SERIALS[0]: rigid(0.3, -0.6, 0.2, -0.5, 0.1, 0.2),
    SERIALS[1]: rigid(-0.2, 0.9, -0.4, 0.7, -0.2, 0.4),
    MASTER: np.eye(4),
}


@dataclass
class Tree:
    """What is written of one sequence; frames where something is not seen, by camera."""

    scene: object
    root: Path
    sequence: str = SEQUENCE
    side: str = "right"
    serials: tuple[str, ...] = SERIALS
    hand_unseen: dict[str, set[int]] = field(default_factory=dict)
    object_unseen: dict[str, set[int]] = field(default_factory=dict)
    shake: dict[str, np.ndarray] = field(default_factory=dict)  # (T, 4, 4) of a camera that moves
    ycb_ids: tuple[int, ...] = (OTHERS[0], GRASPED, OTHERS[1])

    @property
    def folder(self) -> Path:
        return self.root / SUBJECT / self.sequence

    def write(self) -> Path:
        frames = len(self.scene.keypoints_m)
        self.folder.mkdir(parents=True)
        meta = {
            "serials": list(SERIALS), "num_frames": frames, "ycb_ids": list(self.ycb_ids),
            "ycb_grasp_ind": 1, "mano_sides": [self.side],
            "mano_calib": ["20200709_140042_subject-01_" + self.side],
            "extrinsics": "20200702_151821",
        }  # fmt: skip
        (self.folder / "meta.yml").write_text(yaml.dump(meta))
        for serial in self.serials:
            (self.folder / serial).mkdir()
            for frame in range(frames):
                self.write_labels(serial, frame)
        self.write_shared()
        return self.root

    def write_labels(self, serial: str, frame: int) -> None:
        moved = self.shake[serial][frame] if serial in self.shake else np.eye(4)
        T_cam_table = np.linalg.inv(T_WORLD_CAM[serial] @ moved) @ T_WORLD_TAG
        joints = np.full((1, 21, 3), -1.0, np.float32)
        if frame not in self.hand_unseen.get(serial, ()):
            joints[0] = self.scene.keypoints_m[frame] @ T_cam_table[:3, :3].T + T_cam_table[:3, 3]
        poses = np.stack(
            [
                T_cam_table @ rigid(0, 0, 0.5, 0.2, -0.2, 0.05),
                T_cam_table @ self.scene.T_table_object[frame],
                np.zeros((4, 4)),  # the last object is never seen
            ]
        )[:, :3].astype(np.float32)
        if frame in self.object_unseen.get(serial, ()):
            poses[1] = np.eye(4)[:3]  # what 0 0 0 1 0 0 0 of pose.npz becomes
        np.savez_compressed(
            self.folder / serial / f"labels_{frame:06d}.npz",
            seg=np.zeros((48, 64), np.uint8), pose_y=poses, pose_m=np.zeros((1, 51), np.float32),
            joint_3d=joints, joint_2d=np.full((1, 21, 2), -1.0, np.float32),
        )  # fmt: skip

    def write_shared(self) -> None:
        calibration = self.root / "calibration"
        rows = {s: tuple(map(float, T[:3].ravel())) for s, T in T_WORLD_CAM.items()}
        rows["apriltag"] = tuple(map(float, T_WORLD_TAG[:3].ravel()))
        folder = calibration / "extrinsics_20200702_151821"
        folder.mkdir(parents=True, exist_ok=True)
        text = yaml.dump({"extrinsics": rows, "master": MASTER})
        assert "!!python/tuple" in text
        (folder / "extrinsics.yml").write_text(text)
        intrinsics = calibration / "intrinsics"
        intrinsics.mkdir(exist_ok=True)
        camera = {"fx": 614.6, "fy": 614.9, "ppx": 311.0, "ppy": 239.1}
        for serial in SERIALS:
            path = intrinsics / f"{serial}_640x480.yml"
            path.write_text(yaml.dump({"color": camera, "depth": camera}))
        model = self.root / "models" / "004_sugar_box" / "textured_simple.obj"
        model.parent.mkdir(parents=True, exist_ok=True)
        lines = ["mtllib textured.mtl", "vt 0.5 0.5", "vn 0 0 1"]
        lines += ["v {} {} {}".format(*v) for v in self.scene.vertices]
        lines += ["f " + " ".join(f"{i + 1}/1/1" for i in face) for face in self.scene.faces]
        model.write_text("\n".join(lines) + "\n")


def imported(path: Path, out: Path) -> list[Result]:
    return list(run(dexycb_jobs(path, CONFIG), out, CONFIG))


def track_of(tree: Tree, out: Path) -> Track:
    results = imported(tree.write(), out)
    assert [r.outcome for r in results] == [Outcome.WRITTEN], results
    return load_track(out / f"{NAME}.json")


def refusal(path: Path, out: Path) -> str:
    (result,) = imported(path, out)
    assert result.outcome is Outcome.REFUSED
    assert not out.exists() or not list(out.iterdir())
    return "\n".join(result.reasons)


@pytest.mark.parametrize("serials", [SERIALS, *((serial,) for serial in SERIALS)])
def test_hand_and_object_are_right_to_a_hundredth_of_a_millimetre(
    known_scene, tmp_path, serials
) -> None:
    track = track_of(Tree(known_scene, tmp_path / "d", serials=serials), tmp_path / "o")
    assert track.valid.all()
    assert np.abs(track.keypoints_m - known_scene.keypoints_m).max() < 1e-5
    assert np.abs(track.T_table_object - known_scene.T_table_object).max() < 1e-5
    assert track.fps == pytest.approx(30.0, rel=1e-6)
    expected = np.linalg.inv(T_WORLD_TAG) @ T_WORLD_CAM[serials[0]]
    assert track.T_table_cam == pytest.approx(expected, abs=1e-9)


def test_the_track_says_what_it_is(known_scene, tmp_path) -> None:
    track = track_of(Tree(known_scene, tmp_path / "d"), tmp_path / "o")
    assert (track.object_name, track.meta.subject) == ("004_sugar_box", SUBJECT)
    assert (track.meta.source, track.meta.synthetic) == ("dexycb", False)
    assert track.intrinsics is not None
    assert (track.intrinsics.fx, track.intrinsics.cy) == (614.6, 239.1)
    assert np.ptp(track.object_points_m, axis=0) == pytest.approx([0.06, 0.08, 0.12], abs=1e-3)
    assert track.meta.quality.camera_disagreement_m < 1e-5
    assert track.meta.quality.bystander_drift_m < 1e-5


@pytest.mark.parametrize("inside", [SUBJECT, f"{SUBJECT}/{SEQUENCE}"])
def test_the_subject_is_known_from_within_its_folder(
    known_scene, tmp_path, monkeypatch, inside
) -> None:
    monkeypatch.chdir(Tree(known_scene, tmp_path / "d").write() / inside)
    assert [job.name for job in dexycb_jobs(Path("."), CONFIG)] == [f"dexycb_{SUBJECT}_{SEQUENCE}"]


def test_a_subject_that_lies_elsewhere_may_be_linked(known_scene, tmp_path) -> None:
    root = Tree(known_scene, tmp_path / "d").write()
    (root / SUBJECT).rename(tmp_path / "elsewhere")
    (root / SUBJECT).symlink_to(tmp_path / "elsewhere")
    (job,) = dexycb_jobs(root / SUBJECT, CONFIG)
    assert job.name == f"dexycb_{SUBJECT}_{SEQUENCE}"


def test_frames_without_hand_or_object_are_gaps(known_scene, tmp_path) -> None:
    """-1 is no hand, an identity at the camera no object; short gaps are filled, long ones not."""
    first, middle, late = set(range(5)), {30, 31}, set(range(50, 62))
    tree = Tree(
        known_scene,
        tmp_path / "d",
        hand_unseen=dict.fromkeys(SERIALS, first | middle),
        object_unseen=dict.fromkeys(SERIALS, {27} | late),
    )
    track = track_of(tree, tmp_path / "o")
    assert set(np.flatnonzero(~track.valid)) == first | late
    assert np.isnan(track.keypoints_m[:5]).all()
    assert track.meta.quality.filled_frames == 3
    filled = [27, 30, 31]
    assert np.abs(track.keypoints_m[filled] - known_scene.keypoints_m[filled]).max() < 1e-3


def test_a_hand_that_one_camera_misses_is_taken_from_another(known_scene, tmp_path) -> None:
    tree = Tree(
        known_scene,
        tmp_path / "d",
        hand_unseen={SERIALS[0]: set(range(66)), SERIALS[1]: set(range(30))},
        object_unseen={SERIALS[0]: set(range(66))},
    )
    track = track_of(tree, tmp_path / "o")
    assert np.abs(track.keypoints_m - known_scene.keypoints_m).max() < 1e-5
    assert np.abs(track.T_table_object - known_scene.T_table_object).max() < 1e-5
    assert track.meta.provenance["camera"] == SERIALS[1]


def test_left_hands_are_passed_over_and_the_others_go_on(known_scene, tmp_path, capsys) -> None:
    left = Tree(known_scene, tmp_path / "d", "20200709_140000", side="left", serials=())
    left.write()
    argv = ["import", "dexycb", str(tmp_path / "d"), "-o", str(tmp_path / "o")]
    assert main(argv) == 1  # nothing came of it
    Tree(known_scene, tmp_path / "d").write()
    capsys.readouterr()
    assert main(argv) == 0
    said = capsys.readouterr()
    assert "20200709_140000/meta.yml: mano_sides: is a left hand" in said.err
    assert "1 written, 0 kept, 1 passed over, 0 refused" in said.out


def test_a_stopped_import_continues(known_scene, tmp_path, monkeypatch) -> None:
    Tree(known_scene, tmp_path / "d").write()
    Tree(known_scene, tmp_path / "d", "20200709_150000").write()
    out = tmp_path / "o"
    jobs = run(dexycb_jobs(tmp_path / "d", CONFIG), out, CONFIG)
    assert next(jobs).outcome is Outcome.WRITTEN
    jobs.close()
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    (out / f"dexycb_{SUBJECT}_20200709_150000.npz").write_bytes(b"cut off before its JSON")
    outcomes = [r.outcome for r in imported(tmp_path / "d", out)]
    assert outcomes == [Outcome.KEPT, Outcome.WRITTEN]
    assert before.items() <= {path: path.stat().st_mtime_ns for path in out.iterdir()}.items()
    assert load_track(out / f"dexycb_{SUBJECT}_20200709_150000.json").valid.all()


def test_tracks_of_another_configuration_are_not_mixed_in(known_scene, tmp_path) -> None:
    Tree(known_scene, tmp_path / "d").write()
    imported(tmp_path / "d", tmp_path / "o")
    other = CONFIG.model_copy(update={"object_points": 500})
    (result,) = run(dexycb_jobs(tmp_path / "d", other), tmp_path / "o", other)
    assert "meta.settings: the track was made with another configuration" in result.reasons[0]


def test_a_camera_that_was_moved_shows_by_the_other(known_scene, tmp_path) -> None:
    moved = np.tile(rigid(0, 0, 0, 0.02, 0, 0), (66, 1, 1))
    tree = Tree(known_scene, tmp_path / "d", shake={SERIALS[1]: moved})
    told = refusal(tree.write(), tmp_path / "o")
    assert "two cameras see the same hand 2.0 cm apart" in told


def test_a_camera_that_moves_shows_by_what_stands(known_scene, tmp_path) -> None:
    drift = np.tile(np.eye(4), (66, 1, 1))
    drift[:, 0, 3] = np.linspace(0.0, 0.15, 66)
    tree = Tree(known_scene, tmp_path / "d", serials=SERIALS[:1], shake={SERIALS[0]: drift})
    told = refusal(tree.write(), tmp_path / "o")
    assert "all other objects move, the steadiest by 7.5 cm" in told


LABELS = Path(SUBJECT) / SEQUENCE / SERIALS[0] / "labels_000012.npz"
META = Path(SUBJECT) / SEQUENCE / "meta.yml"
INTRINSICS = Path("calibration/intrinsics") / f"{SERIALS[0]}_640x480.yml"
EXTRINSICS = Path("calibration/extrinsics_20200702_151821/extrinsics.yml")
MODEL = Path("models/004_sugar_box/textured_simple.obj")


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda d: (d / LABELS).unlink(), "labels_000012.npz: cannot be read: No such file"),
        (lambda d: (d / LABELS).write_bytes((d / LABELS).read_bytes()[:300]),
         "labels_000012.npz: is truncated or no .npz file (300 bytes)"),
        (lambda d: np.savez(d / LABELS, pose_y=np.zeros((3, 3, 4), np.float32)),
         "labels_000012.npz: joint_3d: is missing"),
        (lambda d: np.savez(d / LABELS, joint_3d=np.zeros((1, 21, 3), np.float32),
                            pose_y=np.zeros((2, 3, 4), np.float32)),
         "labels_000012.npz: pose_y: shape must be (3, 3, 4), got (2, 3, 4)"),
        (lambda d: np.savez(d / LABELS, joint_3d=np.full((1, 21, 3), np.nan, np.float32),
                            pose_y=np.zeros((3, 3, 4), np.float32)),
         "labels_000012.npz: joint_3d: not a number"),
        (lambda d: np.savez(d / LABELS, joint_3d=np.zeros((1, 21, 3), np.float32),
                            pose_y=np.full((3, 3, 4), 0.5, np.float32)),
         "labels_000012.npz: pose_y: object 0 has no rigid pose"),
        (lambda d: replaced(d / META, "- 3\n", "- 22\n"), "ycb_ids: unknown object 22"),
        (lambda d: replaced(d / META, "ycb_grasp_ind: 1", "ycb_grasp_ind: 3"),
         "ycb_grasp_ind: is 3, but there are only 3 objects"),
        (lambda d: replaced(d / META, "num_frames: 66\n", ""), "num_frames: Field required"),
        (lambda d: (d / EXTRINSICS).unlink(), "extrinsics.yml: cannot be read"),
        (lambda d: replaced(d / INTRINSICS, "fx: 614.6", "fx: .nan"), "yml: color.fx: "),
        (lambda d: replaced(d / EXTRINSICS, "apriltag", "april"), "apriltag: is missing"),
        (lambda d: replaced(d / EXTRINSICS, "!!python/tuple", "!!python/object:os.system"),
         "extrinsics.yml: is no YAML"),
        (lambda d: replaced(d / EXTRINSICS, SERIALS[0], "000000000000"),
         f"calibration 20200702_151821 lacks camera {SERIALS[0]}"),
        (lambda d: (d / MODEL).unlink(), "textured_simple.obj: cannot be read"),
        (lambda d: (d / MODEL).write_text("v 0 0 0\nf 1 2 3\n"), "must name vertices 0 to 0"),
        (lambda d: shutil.rmtree((d / LABELS).parent), "no camera's folder holds labels"),
    ],
)  # fmt: skip
def test_what_is_damaged_is_named_with_its_field(known_scene, tmp_path, damage, sentence) -> None:
    root = Tree(known_scene, tmp_path / "d", serials=SERIALS[:1]).write()
    damage(root)
    assert sentence in refusal(root, tmp_path / "o")


def test_one_damaged_sequence_does_not_stop_the_others(known_scene, tmp_path, capsys) -> None:
    root = Tree(known_scene, tmp_path / "d", serials=SERIALS[:1]).write()
    Tree(known_scene, tmp_path / "d", "20200709_150000", serials=SERIALS[:1]).write()
    (root / LABELS).write_bytes(b"")
    assert main(["import", "dexycb", str(root / SUBJECT), "-o", str(tmp_path / "o")]) == 1
    said = capsys.readouterr()
    assert "labels_000012.npz: is truncated or no .npz file (0 bytes)" in said.err
    assert "1 written, 0 kept, 0 passed over, 1 refused" in said.out
