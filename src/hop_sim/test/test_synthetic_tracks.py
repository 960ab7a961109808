"""Synthetic tracks: hands as people's, grasps that hold, and their distance from the experts."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import hop_sim.tracks
from hop_core.config import config_path, validate
from hop_core.embodiment import HAND, Embodiment, load_embodiment
from hop_core.errors import TrackError
from hop_core.kinematics import Kinematics
from hop_sim.scene import ObjectConfig
from hop_sim.tracks.check import check_track
from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.distinct import nearest_m, signature
from hop_sim.tracks.keypoints import BONES, TIPS, bone_lengths_m, palm_normals
from hop_sim.tracks.resample import resample
from hop_sim.tracks.rigid import inverse, pose, rotation_about, transform
from hop_sim.tracks.synthetic.catalogue import catalogue
from hop_sim.tracks.synthetic.config import NoiseConfig, load_synthetic_config
from hop_sim.tracks.synthetic.course import minimum_jerk, small_poses
from hop_sim.tracks.synthetic.generator import GeneratorSettings, generate_track, synthetic_jobs
from hop_sim.tracks.synthetic.hand import THUMB, make_hand
from hop_sim.tracks.synthetic.shape import Shape
from hop_sim.tracks.track import Track

SETTINGS = GeneratorSettings(tracks=load_tracks_config(), synthetic=load_synthetic_config())
CONFIG = SETTINGS.synthetic
THINGS = catalogue(CONFIG)
SHAPES = {thing.name: thing.shape for thing in THINGS}
NO_NOISE = NoiseConfig(
    drift_m=0, drift_deg=0, drift_s=1, shake_m=0, shake_deg=0, tip_m=0, object_m=0, object_deg=0
)
UNIT = st.floats(0.0, 1.0)


@pytest.fixture(scope="module")
def tracks() -> list[Track]:
    """One track of each object."""
    return [job.make() for job in synthetic_jobs(len(THINGS), 0, SETTINGS)]


@pytest.fixture(scope="module")
def clean() -> list[Track]:
    """Tracks without a tracker's errors."""
    exact = SETTINGS.model_copy(update={"synthetic": CONFIG.model_copy(update={"noise": NO_NOISE})})
    return [job.make() for job in synthetic_jobs(12, 3, exact)]


def moving(track: Track) -> np.ndarray:
    """Frames (T,) between which the object moves."""
    steps = np.linalg.norm(np.diff(track.T_table_object[:, :3, 3], axis=0), axis=1) > 1e-4
    return np.concatenate([steps, [False]]) & np.concatenate([[False], steps])


def local(track: Track) -> np.ndarray:
    """Fingertips (T, 5, 3) in the object's frame."""
    return transform(inverse(track.T_table_object), track.keypoints_m[:, TIPS].astype(float))


def test_there_are_many_objects_of_many_shapes() -> None:
    kinds = {name.rsplit("_", 1)[0] for name in SHAPES}
    assert len(kinds) >= 15
    assert len(SHAPES) >= 30
    sizes = np.array([shape.size_m for shape in SHAPES.values()])
    assert sizes.min() > 0.02
    assert sizes.max() < 0.25


def test_tracks_say_that_they_are_synthetic_and_pass_every_check(tracks) -> None:
    assert {track.object_name for track in tracks} == set(SHAPES)
    for track in tracks:
        assert track.meta.synthetic
        assert track.meta.source == "synthetic"
        assert check_track(track, SETTINGS.tracks) == []


def test_a_track_is_the_same_whatever_else_is_generated(tracks) -> None:
    again = generate_track("x", (0, 7), SETTINGS, THINGS)
    assert np.array_equal(again.keypoints_m, tracks[7].keypoints_m)
    assert np.array_equal(again.T_table_object, tracks[7].T_table_object)
    other = generate_track("x", (1, 6), SETTINGS, THINGS)  # another seed, the same object
    assert other.object_name == tracks[7].object_name
    assert other.keypoints_m.shape != again.keypoints_m.shape


def test_no_track_is_like_another(tracks) -> None:
    """Place, side and speed aside, keypoints differ by at least 3 cm rms."""
    assert nearest_m([signature(track) for track in tracks]).min() > 0.03


def test_a_copy_that_was_moved_turned_and_slowed_is_found(tracks) -> None:
    first = tracks[0]
    T = pose(rotation_about(np.array([0.0, 0.0, 1.0]), 1.0), np.array([0.1, -0.2, 0.0]))
    copy = Track(
        "copy", first.object_name, first.stamps_ns * 2,
        transform(T, first.keypoints_m.astype(float)), first.valid, first.object_points_m,
        T @ first.T_table_object, first.meta,
    )  # fmt: skip
    apart = nearest_m([signature(track) for track in (*tracks, copy)])
    assert apart[-1] < 1e-5
    assert apart[0] < 1e-5


def test_bones_keep_their_lengths_and_are_those_of_people(tracks) -> None:
    """Metacarpals to tips: Buryanov and Kotiuk's means, within what hands differ."""
    names = {name: i for i, name in enumerate(BONES)}
    for track in tracks:
        lengths = bone_lengths_m(track.keypoints_m.astype(float))
        assert lengths.std(axis=0).max() < 1e-6
        middle = lengths[0, [names[(9, 10)], names[(10, 11)], names[(11, 12)]]]
        assert middle == pytest.approx([0.0446, 0.0263, 0.0214], rel=0.2)
        assert 0.08 < track.meta.quality.palm_length_m < 0.11
    assert len({track.meta.subject for track in tracks}) > 10


def test_an_object_moves_only_between_thumb_and_fingers(clean) -> None:
    """Thumb, index and middle finger lie on the surface, the thumb across from the others."""
    for track in clean:
        hold = moving(track)
        assert hold.sum() >= 8
        tips = local(track)[hold]
        assert SHAPES[track.object_name].radius(tips[:, :3]) == pytest.approx(1.0, abs=1e-4)
        assert (tips[:, :3, 2] > 0.0).all()
        across = tips[:, 1:3].mean(axis=1) - tips[:, THUMB]
        normals = SHAPES[track.object_name].normals(tips[0, :3])
        assert normals[THUMB] @ across[0] < 0.0
        assert (normals[1:] @ across[0] > 0.0).all()
        assert 0.01 < np.linalg.norm(across, axis=1).min() < 0.10


def test_the_palm_stays_as_far_as_a_robot_hands_fingers_need(clean) -> None:
    """From the middle knuckle along the palm's normal to the pinch: 4 to 10 cm."""
    for track in clean:
        hold = moving(track)
        keypoints = track.keypoints_m[hold].astype(float)
        pinch = (keypoints[:, 4] + keypoints[:, [8, 12]].mean(axis=1)) / 2.0
        ahead = np.einsum("ti,ti->t", pinch - keypoints[:, 9], palm_normals(keypoints))
        assert ahead.min() > 0.04
        assert ahead.max() < 0.10


def test_an_allegro_hand_can_take_over_the_grasps(clean) -> None:
    """Its palm and four sphere centres, 6 mm behind the human tips, get within 6 mm of all."""
    kinematics, hand = Kinematics(), load_embodiment()
    for track in clean[:6]:
        keypoints = track.keypoints_m[np.flatnonzero(moving(track))[0]].astype(float)
        targets = keypoints[[4, 8, 12, 16]]
        last = targets - keypoints[[3, 7, 11, 15]]
        targets = targets - 0.006 * last / np.linalg.norm(last, axis=1, keepdims=True)
        points = in_palm(keypoints, np.concatenate([keypoints[[9]], targets]))
        assert fit(kinematics, hand, points).max() < 0.006, track.object_name


def in_palm(keypoints: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points in a frame of the human palm that is laid as the robot's is."""
    z = keypoints[9] - keypoints[0]
    x = palm_normals(keypoints[None])[0]
    z, y = z / np.linalg.norm(z), np.cross(z, x)
    y /= np.linalg.norm(y)
    return (points - keypoints[9]) @ np.stack([np.cross(y, z), y, z], axis=1)


def fit(kinematics: Kinematics, robot: Embodiment, points: np.ndarray) -> np.ndarray:
    """Distances (5,) of palm and tips from `points` (5, 3) with hand and palm free to move."""
    sites = ("thumb_tip", "index_tip", "middle_tip", "ring_tip")
    start = np.array([0.0, 0.6, 0.6, 0.6] * 3 + [1.2, 0.5, 0.5, 0.4] + [0.0] * 6)

    def apart(v: np.ndarray) -> np.ndarray:
        q = robot.home.copy()
        q[HAND] = v[:16]
        pose_of = kinematics.fk(q)
        tips = np.array([pose_of[site][:3, 3] for site in sites])
        local = transform(inverse(pose_of["palm"]), np.vstack([pose_of["palm"][:3, 3], tips]))
        return transform(small_poses(v[None, 16:19], v[None, 19:])[0], local) - points

    def residual(v: np.ndarray) -> np.ndarray:
        return np.concatenate([apart(v).ravel(), 0.002 * (v - start)])

    v, damping = start, 1e-4
    for _ in range(40):
        r = residual(v)
        J = np.stack([(residual(v + step) - r) / 1e-5 for step in 1e-5 * np.eye(22)], axis=1)
        trial = v - np.linalg.solve(J.T @ J + damping * np.eye(22), J.T @ r)
        trial[:16] = np.clip(trial[:16], robot.lower[HAND], robot.upper[HAND])
        better = np.sum(residual(trial) ** 2) < r @ r
        v, damping = (trial, damping / 3) if better else (v, damping * 4)
    return np.linalg.norm(apart(v), axis=1)


def test_hands_come_from_the_side_and_from_the_top(tracks) -> None:
    elevations = [float(track.meta.provenance["elevation_deg"]) for track in tracks]
    assert min(elevations) < 30
    assert max(elevations) > 70


def test_nothing_goes_through_table_or_object(clean) -> None:
    for track in clean:
        assert track.keypoints_m[..., 2].min() > 0.005
        foot = transform(track.T_table_object, track.object_points_m.astype(float))[..., 2]
        assert foot.min() > -0.003
        joints = transform(inverse(track.T_table_object), track.keypoints_m.astype(float))
        shape = SHAPES[track.object_name]
        assert not shape.inside(joints, CONFIG.motion.inside - 0.01).any()


def test_speeds_are_those_of_people(tracks) -> None:
    """Peaks of reaches for things on a table lie between 0.4 and 1.7 m/s."""
    peaks = np.array([track.meta.quality.palm_speed_m_s for track in tracks])
    assert peaks.max() < 1.7
    assert np.median(peaks) > 0.4
    for track in tracks[:8]:
        steps = resample(track, SETTINGS.tracks.filters)
        speed = np.linalg.norm(np.diff(steps.keypoints_m[:, 9], axis=0), axis=1) / 0.05
        assert speed.max() <= SETTINGS.tracks.filters.palm_speed_m_s * 1.01
        assert 40 <= len(steps.time_s) <= 300


def test_a_grasp_that_is_impossible_is_an_error_that_says_what_to_do() -> None:
    flat = CONFIG.grasp.model_copy(update={"width_m": (0.5, 0.6)})
    hard = CONFIG.model_copy(update={"grasp": flat, "attempts": 3})
    settings = SETTINGS.model_copy(update={"synthetic": hard})
    with pytest.raises(TrackError, match="none of 3 drawn scenes of synthetic_can_1 can happen"):
        generate_track("x", (0, 0), settings, THINGS)


# SCIENCE of pretraining: what is generated must not be what the task experts do.


def test_generator_and_experts_share_no_code() -> None:
    """Neither imports the other, nor the package above it; both may use `hop_core`."""
    tracks = imported(Path(hop_sim.tracks.__file__).parent)
    assert tracks
    assert all(name.startswith(("hop_core.", "hop_sim.tracks")) for name in tracks), tracks
    for package in (hop_sim.tasks, hop_sim.experts):
        names = imported(Path(package.__file__).parent)
        assert any(name.startswith(package.__name__) for name in names)
        assert not any(name.startswith("hop_sim.tracks") for name in names), names


def imported(folder: Path) -> set[str]:
    """Names of what the modules in `folder` import of this workspace."""
    names = {
        alias
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for alias in (
            [node.module or ""] if isinstance(node, ast.ImportFrom)
            else [each.name for each in node.names] if isinstance(node, ast.Import) else []
        )
    }  # fmt: skip
    return {name for name in names if name.startswith("hop_")}


def test_no_object_is_one_of_the_tasks() -> None:
    """Each differs in some extent by more than 3 mm from every object of a task."""
    folder = config_path("tasks/grasp_lift.yaml").parent
    for path in folder.glob("*.yaml"):
        for name, thing in yaml.safe_load(path.read_text())["objects"].items():
            pieces = validate(thing, ObjectConfig, path.name).pieces
            box = np.sort(extent([piece.model_dump() for piece in pieces]))
            for ours, shape in SHAPES.items():
                apart = np.abs(np.sort(shape.size_m) - box).max()
                assert apart > 0.003, f"{ours} is {path.stem}'s {name}"


def extent(shapes: list[dict]) -> np.ndarray:
    """Width, depth and height of shapes of a task's object, each as large as its turned box."""
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for shape in shapes:
        size = np.array(shape["size_m"], dtype=float)
        size = {"box": size, "cylinder": size[[0, 0, -1]], "sphere": size[[0, 0, 0]]}[shape["type"]]
        c, s = abs(np.cos(shape.get("yaw_rad", 0.0))), abs(np.sin(shape.get("yaw_rad", 0.0)))
        half = np.array([c * size[0] + s * size[1], s * size[0] + c * size[1], size[2]])
        low = np.minimum(low, np.array(shape["position_m"]) - half)
        high = np.maximum(high, np.array(shape["position_m"]) + half)
    return high - low


# The parts.


@given(st.integers(0, 500), st.lists(UNIT, min_size=15, max_size=15))
def test_fingers_reach_what_is_in_reach_and_keep_their_bones(number, draws) -> None:
    hand = make_hand(CONFIG.hand, number)
    tips = np.array(draws).reshape(5, 3) * [0.08, 0.06, 0.10] + [0.01, -0.03, -0.02]
    keypoints = hand.keypoints_m(np.eye(4)[None], tips[None])[0]
    lengths = bone_lengths_m(keypoints[None])[0].reshape(5, 4)[:, 1:]
    assert lengths == pytest.approx(hand.bones_m, abs=1e-9)
    for finger, tip in enumerate(TIPS):
        along = tips[finger] - hand.roots_m[finger]
        shortest, longest = hand.reaches_m(finger)
        distance = np.clip(np.linalg.norm(along), shortest, longest)
        expected = hand.roots_m[finger] + along / np.linalg.norm(along) * distance
        assert keypoints[tip] == pytest.approx(expected, abs=1e-6)


@given(st.sampled_from(sorted(SHAPES)), UNIT, st.floats(0.15, 0.85))
def test_rays_meet_the_surface_from_outside(name, turn, height) -> None:
    shape: Shape = SHAPES[name]
    angle = 2.0 * np.pi * turn
    inward = -np.array([[np.cos(angle), np.sin(angle), 0.0]])
    start = np.array([[0.0, 0.0, height * shape.height_m]]) - 0.2 * inward
    point = shape.hit(start, inward, 0.4)
    assert shape.radius(point) == pytest.approx(1.0, abs=1e-4)
    assert (point - start) @ inward[0] > 0.0
    assert (shape.normals(point) @ inward[0]).max() < 0.0
    assert np.isnan(shape.hit(start + np.array([0.0, 0.0, 1.0]), inward, 0.4)).all()


def test_points_of_an_object_lie_on_it_and_cover_it() -> None:
    for shape in SHAPES.values():
        points = shape.surface(2000).astype(float)
        ends = (points[:, 2] < 1e-6) | (points[:, 2] > shape.height_m - 1e-6)
        assert ends.any()
        assert shape.radius(points[~ends]) == pytest.approx(1.0, abs=0.02)
        assert shape.radius(points[ends]).max() < 1.01
        assert np.ptp(points, axis=0) == pytest.approx(shape.size_m, rel=0.03)


def test_a_minimum_jerk_movement_peaks_at_1_875_of_its_mean_speed() -> None:
    time = np.linspace(0.0, 1.0, 10001)
    speed = np.gradient(minimum_jerk(time), time)
    assert speed.max() == pytest.approx(1.875, abs=1e-3)
    assert speed[[0, -1]] == pytest.approx(0.0, abs=1e-3)
