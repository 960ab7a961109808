"""The plain `.npz` layout: a known hand in a tilted world, a real clip, and what is refused."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from hop_core.errors import TrackError
from hop_sim.retarget.part import gather
from hop_sim.tracks.batch import Outcome, run
from hop_sim.tracks.check import check_track
from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.files import load_track
from hop_sim.tracks.npz_import import NpzSettings, import_npz, npz_jobs
from hop_sim.tracks.resample import resample
from hop_sim.tracks.tables import summary, track_table
from hop_sim.tracks_cli import main

CONFIG = load_tracks_config()
SETTINGS = NpzSettings(tracks=CONFIG)
CLIP = Path(os.environ.get("HOP_CLIP", ""))
needs_clip = pytest.mark.skipif(not CLIP.is_file(), reason="HOP_CLIP names no recorded clip")
# A world like that of a camera: y nearly down, z away.
TURN = np.linalg.qr(np.array([[0.9, 0.1, 0.4], [-0.1, -0.9, -0.3], [0.4, 0.2, -0.8]]))[0]
TURN = TURN if np.linalg.det(TURN) > 0 else -TURN
SHIFT = np.array([0.3, -0.1, 0.9])


def recording(scene, **changes) -> dict[str, np.ndarray]:
    """The known scene in the tilted world, as arrays of the layout; None takes one away."""
    poses = scene.T_table_object.copy()
    poses[:, :3, :3] = TURN @ poses[:, :3, :3]
    poses[:, :3, 3] = poses[:, :3, 3] @ TURN.T + SHIFT
    triangles = np.concatenate([scene.faces[:, :3], scene.faces[:, [0, 2, 3]]])
    arrays = {
        "keypoints": scene.keypoints_m @ TURN.T + SHIFT,
        "object_poses": poses,
        "object_vertices": scene.vertices,
        "object_faces": triangles,
        "fps": np.array(30),
        "up": TURN[:, 2],
        **changes,
    }
    return {key: np.asarray(value) for key, value in arrays.items() if value is not None}


def saved(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    np.savez(path, **arrays)
    return path


def test_up_and_the_objects_foot_give_the_table(known_scene, tmp_path) -> None:
    """The known table comes back, but for place and direction on it, which are convention."""
    track = import_npz(saved(tmp_path / "a.npz", recording(known_scene)), SETTINGS)
    assert check_track(track, CONFIG) == []
    heights = track.keypoints_m[..., 2] - known_scene.keypoints_m[..., 2]
    assert np.abs(heights).max() < 0.002  # as near as points on the surface come to the foot's edge
    assert track.T_table_object[:, 2, 2] == pytest.approx(1.0)
    assert track.T_table_object[0, :2, 3] == pytest.approx([0.0, 0.0], abs=2e-3)
    assert track.keypoints_m[0, 0, 1] == pytest.approx(0.0, abs=2e-3)
    assert track.keypoints_m[0, 0, 0] < -0.2  # the hand comes from -x


def test_a_table_frame_in_the_file_is_taken_as_it_is(known_scene, tmp_path) -> None:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = TURN.T, -TURN.T @ SHIFT
    arrays = recording(known_scene, up=None, T_table_world=T, subject="anna", object_name="tea box")
    track = import_npz(saved(tmp_path / "a.npz", arrays), SETTINGS)
    assert np.abs(track.keypoints_m - known_scene.keypoints_m).max() < 1e-6
    assert np.abs(track.T_table_object - known_scene.T_table_object).max() < 1e-6
    assert (track.object_name, track.meta.subject) == ("tea_box", "anna")


def test_recordings_that_name_no_subject_are_each_a_split_group_of_their_own(
    known_scene, tmp_path, retarget_settings
) -> None:
    """So a split can hold some of them out; two of one subject stay on one side of it."""
    tracks = [
        import_npz(
            saved(tmp_path / f"{name}.npz", recording(known_scene, subject=subject)), SETTINGS
        )
        for name, subject in (("a", None), ("b", None), ("c", "anna"), ("d", "anna"))
    ]
    steps = [resample(track, CONFIG.filters) for track in tracks]
    results = [
        gather(track, track20, [], retarget_settings, track.digest)
        for track, track20 in zip(tracks, steps, strict=True)
    ]
    assert [each.track.group for each in results] == ["npz/a", "npz/b", "npz/anna", "npz/anna"]
    kept = [(track.object_name, track.meta) for track in tracks]
    assert summary(kept, np.ones(4))["subjects"] == 1
    assert "not known" in track_table(tracks[0], CONFIG).columns[1]._cells


@pytest.mark.parametrize("up", ["{},{},{}".format(*TURN[:, 2]), "+z"])
def test_up_may_be_given_beside_the_file(known_scene, tmp_path, up) -> None:
    path = saved(tmp_path / "a.npz", recording(known_scene))
    inside = import_npz(path, SETTINGS)
    bare = saved(tmp_path / "a.npz", recording(known_scene, up=None))
    beside = import_npz(bare, NpzSettings(tracks=CONFIG, up=up))
    assert beside.keypoints_m == pytest.approx(inside.keypoints_m, abs=1e-6)


def test_frames_with_nan_are_frames_in_which_nothing_was_seen(known_scene, tmp_path) -> None:
    arrays = recording(known_scene)
    arrays["keypoints"][20] = np.nan
    arrays["keypoints"][21] = np.inf
    arrays["object_poses"][60:] = np.nan
    with warnings.catch_warnings(action="error"):
        track = import_npz(saved(tmp_path / "a.npz", arrays), SETTINGS)
    assert track.valid.tolist() == [i < 60 for i in range(66)]
    assert track.meta.quality.filled_frames == 2


def test_stamps_are_taken_as_they_are(known_scene, tmp_path) -> None:
    stamps = np.cumsum(np.full(66, 40_000_000))
    arrays = recording(known_scene, fps=None, stamps_ns=stamps)
    track = import_npz(saved(tmp_path / "a.npz", arrays), SETTINGS)
    assert track.fps == pytest.approx(25.0)
    assert track.stamps_ns.tolist() == stamps.tolist()


def moving_camera(metres: float) -> np.ndarray:
    poses = np.tile(np.eye(4), (66, 1, 1))
    poses[:, 0, 3] = np.linspace(0.0, metres, 66)
    return poses


def test_a_standing_camera_becomes_part_of_the_track(known_scene, tmp_path) -> None:
    arrays = recording(
        known_scene, camera_poses=moving_camera(0.001), intrinsics=[600, 600, 320, 240, 640, 480]
    )
    track = import_npz(saved(tmp_path / "a.npz", arrays), SETTINGS)
    assert track.T_table_cam is not None
    assert track.intrinsics is not None
    assert track.T_table_cam[:3, :3] @ TURN[:, 2] == pytest.approx([0.0, 0.0, 1.0])
    assert (track.intrinsics.fx, track.intrinsics.width) == (600.0, 640)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"keypoints": None}, "keypoints: is missing; the file holds object_poses"),
        ({"keypoints": np.zeros((66, 20, 3))}, "keypoints: shape must be (any, 21, 3)"),
        ({"keypoints": np.zeros((66, 21, 3), int)}, "keypoints: type must be floating point"),
        ({"keypoints": np.full((66, 21, 3), np.nan)}, "keypoints: no frame shows both"),
        ({"keypoints": np.array([{}], object)}, "keypoints: is damaged or holds Python objects"),
        ({"valid": np.ones(66, bool), "keypoints": np.full((66, 21, 3), np.nan)},
         "keypoints: not a number in 66 valid frames"),
        ({"object_poses": np.ones((66, 4, 4))}, "object_poses: frame 0 is no rigid transform"),
        ({"object_poses": np.zeros((65, 4, 4))}, "object_poses: shape must be (66, 4, 4)"),
        ({"object_vertices": np.zeros((0, 3)), "object_faces": None},
         "object_vertices: the object has no points"),
        ({"object_faces": np.array([[0, 1, 8]])}, "faces: must name vertices 0 to 7"),
        ({"fps": None}, "fps: give either fps or stamps_ns"),
        ({"fps": np.array(0)}, "fps: must be above 0, got 0"),
        ({"keypoints": np.array(1.0)}, "keypoints: shape must be (any, 21, 3)"),
        ({"fps": None, "stamps_ns": np.zeros(66, int)}, "stamps_ns: must increase"),
        ({"side": np.array("left")}, "side: is 'left'; only right hands are used"),
        ({"side": np.array("both")}, "side: is 'both'; only right hands are used"),
        ({"up": None}, "up: is missing; the world frame has no gravity"),
        ({"up": np.zeros(3)}, "up: must not be 0, 0, 0"),
        ({"colour": np.zeros(3)}, "colour: unknown array; known ones are keypoints"),
        ({"camera_poses": moving_camera(0.08)}, "camera_poses: the camera moves by 8.0 cm"),
        ({"intrinsics": np.zeros(6)}, "intrinsics: must be fx, fy, cx, cy, width, height"),
        ({"intrinsics": np.array([600, 600, 9, 9, 0.5, 480])}, "intrinsics: must be fx, fy"),
        ({"scale_source": np.array("")}, "scale_source: is empty; leave it out"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_field(
    known_scene, tmp_path, change, sentence
) -> None:
    path = tmp_path / "wrong.npz"
    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **recording(known_scene, **change))
    with pytest.raises(TrackError) as caught:
        import_npz(path, SETTINGS)
    assert f"{path}: {sentence}" in str(caught.value)


def test_a_finger_without_a_tip_is_refused(known_scene, tmp_path) -> None:
    arrays = recording(known_scene)
    arrays["keypoints"][7, 20] = arrays["keypoints"][7, 19]
    path = saved(tmp_path / "a.npz", arrays)
    with pytest.raises(TrackError, match="frame 7 has both ends of a bone in one point"):
        import_npz(path, SETTINGS)


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [
        (np.array([100.0] * 3), "wrist to middle knuckle is 9.5 m, allowed are 0.06-0.13 m; it "
         "looks like centimetres"),
        (np.array([-1.0, 1.0, 1.0]), "a left hand, or a mirrored image"),
    ],
)  # fmt: skip
def test_what_no_right_hand_can_be_is_refused_and_the_others_go_on(
    known_scene, tmp_path, factor, sentence
) -> None:
    arrays = recording(known_scene)
    hand = (arrays["keypoints"] - SHIFT) * factor + SHIFT
    saved(tmp_path / "a.npz", {**arrays, "keypoints": hand})
    saved(tmp_path / "b.npz", arrays)
    (tmp_path / "c.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:5000])
    a, b, c = run(npz_jobs(tmp_path, SETTINGS), tmp_path / "o", CONFIG)
    assert [a.outcome, b.outcome, c.outcome] == [
        Outcome.REFUSED, Outcome.WRITTEN, Outcome.REFUSED
    ]  # fmt: skip
    assert any(sentence in reason for reason in a.reasons), a.reasons
    assert all(reason.startswith(str(tmp_path / "a.npz: ")) for reason in a.reasons)
    assert c.reasons == (f"{tmp_path / 'c.npz'}: is truncated or no .npz file (5000 bytes); "
                         "copy it again",)  # fmt: skip
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == ["b.json", "b.npz"]


def test_two_files_cannot_give_the_same_track(known_scene, tmp_path) -> None:
    for name in ("a b.npz", "a_b.npz"):
        saved(tmp_path / name, recording(known_scene))
    with pytest.raises(TrackError, match=r"a_b\.npz: gives a track of the same name as .*a b\.npz"):
        list(npz_jobs(tmp_path, SETTINGS))


def test_another_recording_of_the_same_name_is_no_track_that_was_there(
    known_scene, tmp_path
) -> None:
    for folder, subject in (("a", "Ada"), ("b", "Bo")):
        (tmp_path / folder).mkdir()
        arrays = recording(known_scene, subject=np.array(subject))
        saved(tmp_path / folder / "clip.npz", arrays)
    jobs = [npz_jobs(tmp_path / folder, SETTINGS) for folder in "aab"]
    results = [result for each in jobs for result in run(each, tmp_path / "o", CONFIG)]
    assert [r.outcome for r in results] == [Outcome.WRITTEN, Outcome.KEPT, Outcome.REFUSED]
    assert f"not from {tmp_path / 'b/clip.npz'} as it is" in results[-1].reasons[0]


def test_a_track_is_named_after_its_file_as_far_as_names_go(known_scene, tmp_path) -> None:
    path = saved(tmp_path / "-take ä1.npz", recording(known_scene))
    assert import_npz(path, SETTINGS).name == "take__1"
    assert [job.name for job in npz_jobs(tmp_path, SETTINGS)] == ["take__1"]
    saved(tmp_path / "_.npz", recording(known_scene))
    with pytest.raises(TrackError, match=r"_\.npz: its name has no letter or digit"):
        list(npz_jobs(tmp_path, SETTINGS))


@pytest.mark.parametrize("up", ["up", "1,2", "nan,0,1", "0,0,0", "*y"])
def test_an_up_that_is_none_is_refused(known_scene, tmp_path, up) -> None:
    path = saved(tmp_path / "a.npz", recording(known_scene, up=None))
    with pytest.raises(TrackError, match="--up: must be three numbers such as 0,-1,0"):
        import_npz(path, NpzSettings(tracks=CONFIG, up=up))


@needs_clip
def test_the_real_clip_becomes_a_track(tmp_path, capsys) -> None:
    """A cracker box that stands 16.4 cm high is lifted by 29 cm within 2.4 s."""
    argv = ["import", "npz", str(CLIP), "-o", str(tmp_path)]
    assert main(argv) == 1
    assert "dexycb_clip.npz: up: is missing" in capsys.readouterr().err
    assert main([*argv, "--up=-y"]) == 0
    track = load_track(tmp_path / "dexycb_clip.json")
    assert len(track.valid) == 74
    assert track.valid.all()
    low = (
        np.einsum("ti,pi->tp", track.T_table_object[:, 2, :3], track.object_points_m)
        + track.T_table_object[:, 2, 3:]
    )
    assert low[0].min() == pytest.approx(0.0, abs=1e-3)
    assert np.ptp(low[0]) == pytest.approx(0.164, abs=3e-3)
    assert low[-1].min() == pytest.approx(0.287, abs=3e-3)
    assert track.keypoints_m[..., 2].min() > 0.0
    quality = track.meta.quality
    assert quality.palm_length_m == pytest.approx(0.1004, abs=1e-4)
    assert quality.untouched_drift_m < 0.001
    steps = resample(track, CONFIG.filters)
    assert steps.contact[-1]
    assert not steps.contact[0]
    speed = np.linalg.norm(np.diff(steps.keypoints_m[:, 9], axis=0), axis=1) / 0.05
    assert speed.max() <= CONFIG.filters.palm_speed_m_s
