"""Tracks as arrays and as files: what is kept, what is refused, and what filters do to them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hop_core.config import config_path, load_config
from hop_core.errors import TrackError, TrackWriteError
from hop_core.safety_config import SafetyConfig
from hop_sim.tracks.assemble import Origin, Sighting, assemble
from hop_sim.tracks.check import check_track
from hop_sim.tracks.config import load_tracks_config
from hop_sim.tracks.contact import distances_m
from hop_sim.tracks.files import list_tracks, load_track, save_track
from hop_sim.tracks.gaps import bridged, fill_points, fill_poses
from hop_sim.tracks.keypoints import bone_lengths_m, palm_frames, right_handedness
from hop_sim.tracks.mesh import surface_points
from hop_sim.tracks.pacing import pace
from hop_sim.tracks.resample import resample
from hop_sim.tracks.rigid import inverse, pose, quaternions, rotation_about, rotations, transform
from hop_sim.tracks.smoothing import local_polynomial
from hop_sim.tracks.track import Track, longest_run

CONFIG = load_tracks_config()
UNHURRIED = CONFIG.filters.model_copy(update={"palm_speed_m_s": 2.0, "palm_turn_rad_s": 10.0})
ANGLES = st.floats(-3.1, 3.1)


def track_of(scene, **changes) -> Track:
    """A track of the known scene; `changes` go to what was seen."""
    frames = len(scene.keypoints_m)
    everywhere = np.ones(frames, dtype=bool)
    sighting = Sighting(
        stamps_ns=np.round(np.arange(frames) * 1e9 / scene.fps).astype(np.int64),
        keypoints_m=scene.keypoints_m,
        hand_seen=everywhere,
        T_table_object=scene.T_table_object,
        object_seen=everywhere,
        object_points_m=surface_points(
            scene.vertices, np.concatenate([scene.faces[:, :3], scene.faces[:, [0, 2, 3]]]), 2000
        ),
    )
    origin = Origin("known", "box", "test", "nobody", "made in metres", "0", {"frames": frames})
    return assemble(replace(sighting, **changes), origin, CONFIG, "known")


@pytest.fixture
def track(known_scene) -> Track:
    return track_of(known_scene)


def test_a_track_comes_back_from_disk_as_it_was(track, tmp_path) -> None:
    path = save_track(track, tmp_path)
    again = load_track(path)
    assert list_tracks(tmp_path) == [path]
    for name in ("stamps_ns", "keypoints_m", "valid", "object_points_m", "T_table_object"):
        assert np.array_equal(getattr(again, name), getattr(track, name))
    assert again.meta == track.meta
    assert again.fps == pytest.approx(30.0, rel=1e-6)


def test_the_known_scene_passes_and_its_record_says_what_it_is(track) -> None:
    assert check_track(track, CONFIG) == []
    quality = track.meta.quality
    assert quality.palm_length_m == pytest.approx(0.095, abs=1e-5)
    assert quality.bone_variation < 1e-5
    assert quality.right_handedness > 0.2
    assert quality.rest_height_m == pytest.approx(0.0, abs=0.003)
    assert quality.contact_share == pytest.approx(42 / 66, abs=0.05)
    assert quality.untouched_drift_m < 1e-6


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda p: p.with_suffix(".npz").write_bytes(p.with_suffix(".npz").read_bytes()[:-99]),
         r"known\.npz: sha256: .*truncated or edited"),
        (lambda p: p.with_suffix(".npz").unlink(), r"known\.npz: cannot be read: No such file"),
        (lambda p: p.write_text(p.read_text()[:-40]), r"known\.json: \(the whole\): Invalid JSON"),
        (lambda p: edit(p, version=2), r"known\.json: version: Input should be 1"),
        (lambda p: edit(p, extra=1), r"known\.json: extra: Extra inputs are not permitted"),
        (lambda p: edit(p, name="other"), r"known\.json: name: says 'other'"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_with_its_field(track, tmp_path, damage, sentence) -> None:
    path = save_track(track, tmp_path)
    damage(path)
    with pytest.raises(TrackError, match=sentence):
        load_track(path)


def edit(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"keypoints_m": np.zeros((66, 20, 3), np.float32)},
         r"keypoints_m: shape must be \(66, 21, 3\), got \(66, 20, 3\)"),
        ({"keypoints_m": np.zeros((66, 21, 3), np.int32)},
         "keypoints_m: type must be floating point, got int32"),
        ({"keypoints_m": np.full((66, 21, 3), np.nan, np.float32)},
         "keypoints_m: not a number in 66 valid frames, first in frame 0"),
        ({"T_table_object": np.ones((66, 4, 4))}, "T_table_object: frame 0 is no rigid transform"),
        ({"stamps_ns": np.zeros(66, np.int64)}, "stamps_ns: must increase, but frame 1"),
        ({"object_points_m": np.zeros((0, 3), np.float32)}, "the object has no points"),
        ({"name": "a/b"}, "name: must be letters, digits"),
    ],
)  # fmt: skip
def test_arrays_that_are_no_track_are_not_written(track, tmp_path, change, sentence) -> None:
    with pytest.raises(TrackError, match=sentence):
        save_track(replace(track, **change), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_half_written(track, tmp_path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hop_core.durable_files.os.fsync", full)
    with pytest.raises(TrackWriteError, match=r"known\.json: cannot be written: No space left"):
        save_track(track, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_track_that_was_there_stays_whole_when_there_is_no_room_for_the_json_of_its_new_arrays(
    track, tmp_path, monkeypatch
) -> None:
    def full_at_json(path: Path) -> None:
        if ".json" in path.name:
            raise OSError(28, "No space left on device")

    save_track(track, tmp_path)
    monkeypatch.setattr("hop_core.durable_files.sync_path", full_at_json)
    with pytest.raises(TrackWriteError, match="make room and run the same command again"):
        save_track(replace(track, keypoints_m=track.keypoints_m + 0.001), tmp_path)
    assert np.array_equal(load_track(tmp_path / "known.json").keypoints_m, track.keypoints_m)
    assert len(list(tmp_path.iterdir())) == 2


def test_arrays_without_their_json_are_no_track(track, tmp_path) -> None:
    save_track(track, tmp_path).unlink()
    assert list_tracks(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda t: {"keypoints_m": t.keypoints_m * 100}, "9.5 m, allowed are 0.06-0.13 m; it looks "
         "like centimetres"),
        (lambda t: {"keypoints_m": t.keypoints_m * 1000}, "it looks like millimetres"),
        (lambda t: {"keypoints_m": t.keypoints_m * [1, -1, 1],
                    "T_table_object": t.T_table_object}, "a left hand"),
        (lambda t: {"object_points_m": t.object_points_m * 1000},
         "object_points_m: the object's diagonal is 156 m.*millimetres"),
        (lambda t: {"T_table_object": shifted(t, [0.0, 2.0, 0.0])}, "hand comes no nearer than"),
        (lambda t: {"T_table_object": shifted(t, [0.0, 2.0, 0.0]),
                    "keypoints_m": t.keypoints_m + np.array([0, 2, 0])},
         "palm and object are in the table's workspace for 0.00 s"),
        (lambda t: {"T_table_object": shifted(t, [0.0, 0.0, -0.1])}, "sinks 10.0 cm into"),
        (lambda t: {"T_table_object": t.T_table_object + drifting(t)},
         r"moves .* cm while the hand is away; the camera moves"),
        (lambda t: {"stamps_ns": t.stamps_ns // 10}, r"palm reaches .* m/s, at most 4 is a person"),
        (lambda t: {"valid": np.arange(66) < 15}, "longest stretch without a gap is 0.47 s"),
        (lambda t: {"valid": np.zeros(66, bool)}, "no frame has both hand and object"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_in_one_sentence(track, change, sentence) -> None:
    wrong = replace(track, **change(track))
    told = [str(each) for each in check_track(wrong, CONFIG, "a.npz")]
    assert any(s for s in told if re.search(sentence, s)), told
    assert all(s.startswith("a.npz: ") for s in told)


def test_of_a_hand_of_another_size_or_side_only_that_is_told(track) -> None:
    for factor in (100.0, [1.0, -1.0, 1.0]):
        wrong = replace(track, keypoints_m=track.keypoints_m * factor)
        assert len(check_track(wrong, CONFIG)) == 1


def shifted(track: Track, by: list[float]) -> np.ndarray:
    out = track.T_table_object.copy()
    out[:, :3, 3] += by
    return out


def drifting(track: Track) -> np.ndarray:
    """Something that moves by 10 cm in the 12 frames before the hand arrives."""
    out = np.zeros_like(track.T_table_object)
    out[:, 0, 3] = 0.1 * np.clip(1 - np.arange(len(out)) / 12, 0, 1)
    return out


def test_resampling_goes_by_stamps_and_not_by_frames(known_scene) -> None:
    """A parabola seen at jittered times comes out at 20 Hz as the same parabola."""
    rng = np.random.default_rng(0)
    stamps_s = np.sort(np.arange(66) / 30.0 + rng.uniform(-0.01, 0.01, 66))
    stamps_s -= stamps_s[0]
    shift = np.stack([0.2 * stamps_s**2, -0.1 * stamps_s, 0 * stamps_s], axis=1)
    keypoints = known_scene.keypoints_m[-1] + shift[:, None]
    boxes = known_scene.T_table_object[[-1] * 66].copy()
    boxes[:, :3, 3] += shift
    track = track_of(
        known_scene,
        stamps_ns=np.round(stamps_s * 1e9).astype(np.int64),
        keypoints_m=keypoints,
        T_table_object=boxes,
    )
    steps = resample(track, UNHURRIED)
    assert np.diff(steps.time_s) == pytest.approx(0.05)
    expected = np.stack([0.2 * steps.source_s**2, -0.1 * steps.source_s], axis=1)
    assert steps.keypoints_m[:, 9, :2] - keypoints[0, 9, :2] == pytest.approx(expected, abs=1e-6)
    assert steps.T_table_object[:, :2, 3] - boxes[0, :2, 3] == pytest.approx(expected, abs=1e-6)


def test_a_track_is_played_slowly_enough_for_the_arm_on_the_same_path(track) -> None:
    limits, filters = load_config(config_path("safety.yaml"), SafetyConfig).motion, CONFIG.filters
    assert filters.palm_speed_m_s < limits.tcp_speed_m_s
    seen, played = resample(track, UNHURRIED), resample(track, filters)
    assert seen.time_scale == pytest.approx(1.0)
    speeds = [
        np.linalg.norm(np.diff(steps.keypoints_m[:, 9], axis=0), axis=1) / 0.05
        for steps in (seen, played)
    ]
    assert speeds[0].max() > filters.palm_speed_m_s * 1.01 >= speeds[1].max()
    palms = palm_frames(played.keypoints_m)
    cosine = 0.5 * (np.trace(np.swapaxes(palms[:-1], 1, 2) @ palms[1:], axis1=1, axis2=2) - 1.0)
    assert np.arccos(cosine).max() / 0.05 <= filters.palm_turn_rad_s * 1.01
    assert played.time_s[-1] == pytest.approx(played.time_scale * seen.time_s[-1], abs=0.06)
    at = np.interp(played.source_s, seen.source_s, np.arange(len(seen.time_s)))
    nearest = seen.keypoints_m[np.round(at).astype(int)]
    assert np.abs(nearest - played.keypoints_m).max() < 0.05 * speeds[0].max()


def test_only_what_is_too_fast_is_slowed_down(known_scene) -> None:
    stamps_s = np.arange(90) / 30
    speed = np.where((stamps_s > 1.0) & (stamps_s < 1.5), 3.0 * CONFIG.filters.palm_speed_m_s, 0.01)
    shift = np.zeros((90, 3))
    shift[:, 1] = np.cumsum(speed) / 30
    track = track_of(
        known_scene,
        stamps_ns=np.round(stamps_s * 1e9).astype(np.int64),
        keypoints_m=known_scene.keypoints_m[-1] + shift[:, None],
        hand_seen=np.ones(90, dtype=bool),
        T_table_object=known_scene.T_table_object[[-1] * 90],
        object_seen=np.ones(90, dtype=bool),
    )
    pacing = pace(track, CONFIG.filters)
    factor = np.diff(pacing.played_s) / np.diff(pacing.seen_s)
    slow = (pacing.seen_s[:-1] < 0.5) | (pacing.seen_s[:-1] > 2.0)
    assert factor[slow] == pytest.approx(1.0)
    assert factor[np.searchsorted(pacing.seen_s, 1.25)] == pytest.approx(3.0, rel=0.1)
    assert 1.3 < pacing.time_scale < 2.0


def test_only_the_longest_valid_stretch_is_used(track) -> None:
    valid = np.ones(66, dtype=bool)
    valid[10], valid[50] = False, False
    keypoints = np.where(valid[:, None, None], track.keypoints_m, np.nan)
    steps = resample(replace(track, valid=valid, keypoints_m=keypoints), UNHURRIED)
    assert steps.source_s[0] == pytest.approx(11 / 30)
    assert steps.source_s[-1] <= 49 / 30
    assert np.isfinite(steps.keypoints_m).all()


def test_smoothing_halves_a_trackers_shake_and_keeps_the_course(known_scene) -> None:
    shake = np.random.default_rng(1).normal(0.0, 0.0023, known_scene.keypoints_m.shape)
    clean = resample(track_of(known_scene), UNHURRIED)
    noisy = resample(track_of(known_scene, keypoints_m=known_scene.keypoints_m + shake), UNHURRIED)
    assert (noisy.keypoints_m - clean.keypoints_m).std() < 0.0023 * 0.6
    frame = np.round(clean.source_s * 30).astype(int)
    on_frames = np.abs(clean.source_s * 30 - frame) < 1e-6
    bias = clean.keypoints_m[on_frames] - known_scene.keypoints_m[frame[on_frames]]
    assert np.abs(bias).max() < 0.003


@given(st.integers(0, 3), st.integers(8, 40), st.integers(0, 1000))
def test_polynomials_pass_the_filter_unchanged(order: int, frames: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    stamps_s = np.cumsum(rng.uniform(0.01, 0.1, frames))
    at_s = rng.uniform(stamps_s[0], stamps_s[-1], 7)
    coefficients = rng.uniform(-1.0, 1.0, order + 1)
    smooth = local_polynomial(stamps_s, at_s, 0.14, order)
    got = smooth @ np.polyval(coefficients, stamps_s)
    assert got == pytest.approx(np.polyval(coefficients, at_s), abs=1e-6)


@given(st.lists(st.booleans(), min_size=4, max_size=40), st.floats(0.0, 0.4))
def test_gaps_are_bridged_up_to_the_limit_and_never_at_the_ends(flags, limit_s) -> None:
    known, stamps_s = np.array(flags), np.arange(len(flags)) * 0.05
    wanted = bridged(stamps_s, known, limit_s)
    assert wanted[known].all()
    frames = np.flatnonzero(known)
    for frame in np.flatnonzero(~known):
        before, after = frames[frames < frame], frames[frames > frame]
        short = len(before) > 0 and len(after) > 0 and (
            (after[0] - before[-1]) * 0.05 <= limit_s * (1 + 1e-9)
        )  # fmt: skip
        assert wanted[frame] == short
    line = np.stack([stamps_s, 1.0 - 2.0 * stamps_s], axis=1)
    filled = fill_points(stamps_s, np.where(known[:, None], line, 99.0), known, wanted)
    assert filled[wanted] == pytest.approx(line[wanted], abs=1e-12)
    assert np.isnan(filled[~wanted]).all()


def test_a_turning_object_is_filled_on_its_way() -> None:
    stamps_s = np.arange(9) * 0.1
    turning = pose(
        rotation_about(np.array([0.6, 0.0, 0.8]), 0.3 * np.arange(9)),
        np.outer(stamps_s, [1.0, 2.0, 3.0]),
    )
    known = np.array([1, 1, 0, 0, 1, 1, 0, 1, 1], dtype=bool)
    seen = np.where(known[:, None, None], turning, np.nan)
    assert fill_poses(stamps_s, seen, known, np.ones(9, bool)) == pytest.approx(turning, abs=1e-9)


@given(st.tuples(ANGLES, ANGLES, ANGLES), st.tuples(ANGLES, ANGLES, ANGLES))
def test_rotations_survive_quaternions_and_inverses(angles, shift) -> None:
    R = np.eye(3)
    for axis, angle in zip(np.eye(3), angles, strict=True):
        R = rotation_about(axis, angle) @ R
    assert rotations(quaternions(R[None]))[0] == pytest.approx(R, abs=1e-9)
    T, points = pose(R, np.array(shift)), np.arange(6.0).reshape(2, 3)
    assert transform(inverse(T), transform(T, points)) == pytest.approx(points, abs=1e-9)


def test_a_mirrored_hand_is_a_left_one(known_scene) -> None:
    assert right_handedness(known_scene.keypoints_m) > 0.2
    for axis in range(3):
        mirror = np.where(np.arange(3) == axis, -1.0, 1.0)
        assert right_handedness(known_scene.keypoints_m * mirror) < -0.2


def test_a_short_gap_is_filled_and_a_long_one_is_not(known_scene) -> None:
    seen = np.ones(66, dtype=bool)
    seen[:6], seen[20:23], seen[40:55] = False, False, False
    keypoints = np.where(seen[:, None, None], known_scene.keypoints_m, np.nan)
    track = track_of(known_scene, keypoints_m=keypoints, hand_seen=seen)
    assert track.valid.tolist() == [i >= 6 and not 40 <= i < 55 for i in range(66)]
    assert np.abs(track.keypoints_m[20:23] - known_scene.keypoints_m[20:23]).max() < 0.007
    quality = track.meta.quality
    assert quality.filled_frames == 3
    assert quality.longest_gap_s == pytest.approx(16 / 30, abs=1e-3)


def test_a_hole_in_the_stamps_is_a_gap_too(known_scene) -> None:
    """Where frames are missing altogether, nothing says that they were not seen."""
    stamps_ns = track_of(known_scene).stamps_ns.copy()
    stamps_ns[30:] += 400_000_000
    track = track_of(known_scene, stamps_ns=stamps_ns)
    assert track.valid.tolist() == [i != 30 for i in range(66)]
    assert track.stretch == slice(31, 66)
    assert track.meta.quality.longest_gap_s == pytest.approx(0.4 + 2 / 30, abs=1e-3)
    stamps_ns[30:] -= 300_000_000
    assert track_of(known_scene, stamps_ns=stamps_ns).valid.all()


def test_distances_are_to_the_surface(known_scene, track) -> None:
    """In the last frame the middle fingertip is 6 mm before the box's front."""
    apart = distances_m(
        track.keypoints_m[-1:].astype(float),
        track.T_table_object[-1:],
        track.object_points_m,
        (12,),
    )
    assert apart[0, 0] == pytest.approx(0.006, abs=0.001)
    assert bone_lengths_m(known_scene.keypoints_m).std(axis=0).max() < 1e-12


def test_points_are_spread_by_area() -> None:
    """Two triangles of areas 1 and 3 get points 1 : 3; all lie on them."""
    vertices = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 5], [2, 0, 5], [0, 3, 5]], float)
    points = surface_points(vertices, np.array([[0, 1, 2], [3, 4, 5]]), 400)
    low = points[points[:, 2] == 0.0]
    assert len(low) == 100
    assert (low[:, 0] / 2 + low[:, 1] <= 1 + 1e-6).all()
    assert np.unique(points[:, 2]).tolist() == [0.0, 5.0]


@given(st.lists(st.booleans(), max_size=30))
def test_the_longest_run_is_found(flags) -> None:
    run = longest_run(np.array(flags, dtype=bool))
    texts = "".join("x" if flag else " " for flag in flags).split()
    assert run.stop - run.start == max(map(len, texts), default=0)
    assert all(flags[run])
