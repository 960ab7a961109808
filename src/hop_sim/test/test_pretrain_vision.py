"""What pretraining sees: stored depth as it is, and the controls that hide or swap the objects."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hop_core.embodiment import load_embodiment
from hop_core.errors import CheckpointError, TrajectoryError
from hop_core.kinematics import Kinematics
from hop_core.robot_config import load_robot
from hop_policy import checkpoint as ck
from hop_policy.aim import BELOW, AimSampler
from hop_policy.contract import DepthContract, PolicyContract, VisionKind
from hop_policy.frame_store import FrameStore, SegmentSampler
from hop_policy.inference import Policy
from hop_policy.model import AIM, PolicyConfig
from hop_policy.objective import Validation
from hop_policy.observation import JointScaling
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData
from hop_policy.trainer import Trainer
from hop_sim.pretrain import depth_images, room
from hop_sim.pretrain.grasp_aims import aim_rows
from hop_sim.pretrain.hidden_objects import Objects, foreign_rows
from hop_sim.pretrain.selection import kept_parts, split_parts
from hop_sim.pretrain.store_data import data_of_stores
from hop_sim.pretrain.store_frames import frame_bytes, load_frames
from hop_sim.pretrain_cli import main
from hop_sim.trajectories.depth.reading import depth_rows
from hop_sim.trajectories.depth.recipe import load_recipe
from hop_sim.trajectories.depth.writer import DepthWriter
from hop_sim.trajectories.header import make_header
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.track_result import ObjectModel, TrackInfo, TrackResult
from hop_sim.trajectories.trajectory import Frames, Scene, Trajectory, TrajectoryMetrics
from hop_sim.trajectories.writer import TrajectoryWriter

Torchrun = Callable[[list[str]], subprocess.CompletedProcess[str]]
CLOUD = PolicyContract(vision="point_cloud")
TRACKS = 8
OBJECT_M = 0.18
DEPTH = PolicyContract(vision="depth")
TINY = TrainConfig(
    model=PolicyConfig(layers=1, width=16, heads=2, context=4),
    segments=4,
    windows=3,
    val_fraction=0.5,
    whiten=True,
    max_steps=4,
    validate_every=2,
    device="cpu",
)
SMALL = [
    "--kept=any", "--max-steps=2", "--set", "model.context=8", "model.layers=1", "model.width=16",
    "model.heads=2", "segments=4", "windows=3", "max_minutes=null", "max_val_episodes=4",
    "validate_every=2", "device=cpu", "val_fraction=0.5",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrajectoryStore:
    """Eight tracks of four groups, two attempts each, with depth that tells frames apart."""
    path = tmp_path_factory.mktemp("vision") / "store"
    with TrajectoryWriter.create(path, make_header({})) as writer:
        for number in range(TRACKS):
            writer.append_track(track(number))
    render(path)
    return TrajectoryStore.open(path)


def track(number: int) -> TrackResult:
    rng, name, kept = np.random.default_rng(number), f"object_{number}", []
    for attempt in range(2):
        length = 8 + number + attempt
        q = load_embodiment().home + np.cumsum(rng.normal(0, 0.02, (length, 23)), 0)
        pose = np.tile([0.6, 0.0, 0.1, 1.0, 0.0, 0.0, 0.0], (length, 1))
        pose[:, :3] += rng.normal(0, 0.1, (length, 3))
        frames = Frames(q, q, q, pose, np.zeros(length), np.arange(length) >= 4)
        metrics = TrajectoryMetrics.only(kept_any=True, kept_contact=attempt == 1)
        kept.append(Trajectory(attempt, 0, name, frames, metrics, Scene.unknown()))
    info = TrackInfo(
        name=f"track_{number}", source="test", synthetic=True, group=f"hand_{number // 2}"
    )
    cloud = rng.normal(0, 0.04, (100, 3)).astype("f4")
    return TrackResult(info, 2, {}, kept, {name: ObjectModel(cloud, cloud)})


def render(path: Path, trajectories: int | None = None) -> None:
    rng = np.random.default_rng(0)
    with DepthWriter(path, load_recipe()) as writer:
        lengths = writer.store.read("episodes/length")[:trajectories]
        writer.append([rng.integers(200, 4001, (n, 60, 60)).astype(np.uint16) for n in lengths])


def data(
    store: TrajectoryStore, vision: VisionKind, objects: Objects = "shown", kept: str = "any"
) -> TrainData:
    contract = {"depth": DEPTH, "point_cloud": CLOUD}[vision]
    return data_of_stores([store], kept, contract, TINY, objects=objects)  # type: ignore[arg-type]


def frames_of(data: TrainData) -> FrameStore:
    assert isinstance(data.train, SegmentSampler)
    return data.train.store


def seen(frames: FrameStore) -> torch.Tensor:
    return frames.vision(torch.arange(len(frames)))


def copy_of(store: TrajectoryStore, path: Path, rendered: int | None) -> TrajectoryStore:
    """The same trajectories, with depth of the first `rendered`; None is no depth/."""
    with TrajectoryWriter.create(path, make_header({})) as writer:
        for number in range(TRACKS):
            writer.append_track(track(number))
    if rendered is not None:
        render(path, rendered)
    return TrajectoryStore.open(path)


# Depth.


@pytest.mark.parametrize("block", [3, 4096])
def test_a_frame_is_seen_as_it_was_rendered(
    store: TrajectoryStore, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, whatever part of the store is learnt from and however it is read."""
    monkeypatch.setattr(depth_images, "_BLOCK_ROWS", block)
    loaded = data(store, "depth", kept="contact")
    names = loaded.provenance["training_tracks"]
    numbers = [2 * int(name.rsplit("_", 1)[1]) + 1 for name in names]  # attempt 1 is kept_contact
    truth = [depth_rows(store, store.frame_rows(number))[:-1] for number in numbers]
    assert np.array_equal(seen(frames_of(loaded)).numpy(), np.concatenate(truth))


def test_a_million_frames_of_depth_are_7_3_gb(store: TrajectoryStore) -> None:
    held = vars(frames_of(data(store, "depth")).vision)["_codes"]
    assert held[0].nbytes == 7200
    assert frame_bytes(DEPTH) == 7200 + 92
    assert frame_bytes(CLOUD) == 32 + 92


def test_both_base_policies_learn_from_the_same_frames(store: TrajectoryStore) -> None:
    depth, cloud = data(store, "depth"), data(store, "point_cloud")
    rows = torch.arange(len(frames_of(depth)))
    for name in ("proprio", "action"):
        one, two = (getattr(frames_of(each), name)(rows) for each in (depth, cloud))
        assert torch.equal(one, two)
    assert depth.provenance["validation_tracks"] == cloud.provenance["validation_tracks"]
    assert depth.provenance["fingerprint"] != cloud.provenance["fingerprint"]


def test_the_command_pretrains_on_depth(store: TrajectoryStore, tmp_path: Path) -> None:
    out = tmp_path / "policy"
    assert main([store.address, "-o", str(out), "--vision=depth", *SMALL]) == 0
    policy = Policy.load(out, DEPTH)
    assert policy.model.vision_mean.shape == (60, 60)
    assert json.loads((out / ck.PROVENANCE).read_text())["depth"][0]["noise"] == 1.0
    (camera,) = ck.load_checkpoint_config(out).cameras
    assert camera.position_m == load_robot("twin").camera.position_m


@pytest.mark.slow
def test_two_processes_agree_with_one_on_depth(
    store: TrajectoryStore, tmp_path: Path, torchrun_pretrain: Torchrun
) -> None:
    arguments = [store.address, "--vision=depth", *SMALL]
    assert main([*arguments, "-o", str(tmp_path / "one")]) == 0
    ran = torchrun_pretrain([*arguments, "-o", str(tmp_path / "two")])
    assert ran.returncode == 0, ran.stderr
    one, two = (
        json.loads((tmp_path / name / ck.METRICS).read_text())["history"][-1]["whitened"]
        for name in ("one", "two")
    )
    assert two == pytest.approx(one, abs=1e-5)


def test_frames_before_the_first_contact_teach_where_it_will_be(store: TrajectoryStore) -> None:
    aiming = TINY.model_copy(update={"model": TINY.model.model_copy(update={"aim": True})})
    learnt = data_of_stores([store], "any", DEPTH, aiming)
    frames = frames_of(learnt)
    assert isinstance(learnt.aims, AimSampler)
    assert len(learnt.aims) == 4 * len(frames.lengths)  # each is touched at tick 4
    parts, _ = split_parts(kept_parts([store], "any"), TINY.val_fraction, TINY.seed)
    rows = aim_rows(parts, frames, DEPTH, OBJECT_M)
    q = JointScaling(DEPTH).unscale(frames.proprio(frames.episode(1)[[1, 4]]).double().numpy())
    palms = [Kinematics().site_pose(row, "palm")[:3, 3] for row in q]
    way_m = rows[frames.starts[1] + 1, :3] * 0.1
    np.testing.assert_allclose(way_m, palms[1] - palms[0], atol=1e-5)
    assert not np.nansum(rows[:, BELOW])  # no table is known


def test_a_hand_is_above_an_object_that_its_height_tells_from_the_hand(tmp_path: Path) -> None:
    """The tips at home are 19 cm high; the second object is 30 cm tall."""

    def low_or_tall(number: int) -> TrackResult:
        made = track(number)
        one = made.trajectories[0]
        pose = np.tile([0.6, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (len(one.frames.q), 1))
        q = np.tile(load_embodiment().home, (len(pose), 1))
        frames = replace(one.frames, q=q, q_raw=q, q_target=q, object_pose=pose)
        known = replace(one.scene, table_xyz_yaw=np.array([0.6, 0.0, 0.0, 0.0]))
        height_m = 0.05 if number < 2 else 0.30
        cloud = np.linspace([0.0, 0.0, 0.0], [0.0, 0.0, height_m], 100).astype("f4")
        model = {f"object_{number}": ObjectModel(cloud, cloud)}
        shown = replace(one, frames=frames, scene=known)
        return replace(made, rejections={"error": 1}, trajectories=[shown], objects=model)

    path = tmp_path / "store"
    with TrajectoryWriter.create(path, make_header({})) as writer:
        for number in (0, 2):
            writer.append_track(low_or_tall(number))
    render(path)
    parts = kept_parts([TrajectoryStore.open(path)], "any")
    frames = load_frames(parts, DEPTH, torch.device("cpu"), lambda _name: None)
    above = aim_rows(parts, frames, DEPTH, OBJECT_M)[:, BELOW]
    assert above[:4].all()
    assert not above[frames.starts[1] : frames.starts[1] + 4].any()
    shown = aim_rows(parts, frames, DEPTH, OBJECT_M)
    for objects in ("masked", "shuffled"):  # moved with the aim, a stranger's scene would tell it
        swapped = aim_rows(parts, frames, DEPTH, OBJECT_M, objects)
        assert not np.nansum(swapped[:, BELOW])
        assert np.array_equal(swapped[:, :AIM], shown[:, :AIM], equal_nan=True)


def test_depth_that_does_not_fit_is_refused_by_field(
    store: TrajectoryStore, tmp_path: Path
) -> None:
    for name, value in (("far_m", 0.9), ("near_m", 0.06), ("fov_deg", 50.0), ("size_px", 64)):
        changed = DepthContract.model_validate({**DEPTH.depth.model_dump(), name: value})
        other = DEPTH.model_copy(update={"depth": changed})
        with pytest.raises(TrajectoryError, match=rf"depth.{name}: its images were made with"):
            data_of_stores([store], "any", other, TINY)
    with pytest.raises(TrajectoryError, match="not rendered; run hop trajectories render-depth"):
        data(copy_of(store, tmp_path / "none", None), "depth")
    with pytest.raises(TrajectoryError, match="rendered for 3 of 16 trajectories; go on with"):
        data(copy_of(store, tmp_path / "part", 3), "depth")


def test_a_store_that_is_larger_than_the_memory_is_told_before_it_is_read(
    store: TrajectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "free_bytes", lambda _device: 100 * 7292 / 0.8)
    with pytest.raises(
        TrajectoryError, match=r"16 trajectories take .* GB.* hop trajectories thin"
    ):
        data(store, "depth")
    data(store, "point_cloud")


# Controls.


@pytest.mark.parametrize("vision", ["depth", "point_cloud"])
def test_a_masked_object_is_nowhere_and_the_hand_stays(
    store: TrajectoryStore, vision: VisionKind
) -> None:
    shown, masked = frames_of(data(store, vision)), frames_of(data(store, vision, "masked"))
    assert (seen(masked) == (1.0 if vision == "depth" else 0.0)).all()
    rows = torch.arange(len(shown))
    assert torch.equal(masked.proprio(rows), shown.proprio(rows))
    assert torch.equal(masked.action(rows), shown.action(rows))


@pytest.mark.parametrize("objects", ["masked", "shuffled"])
def test_a_control_is_whitened_as_what_will_be_seen_in_finetuning(
    store: TrajectoryStore, objects: Objects
) -> None:
    floor = torch.full((23,), 1e-3)
    truth = frames_of(data(store, "depth")).statistics(floor)
    mine = frames_of(data(store, "depth", objects)).statistics(floor)
    assert all(torch.equal(mine[key], truth[key]) for key in truth)


def test_a_masked_prior_cannot_tell_objects_apart(store: TrajectoryStore, tmp_path: Path) -> None:
    masked = data(store, "point_cloud", "masked")
    trainer = Trainer(TINY, CLOUD, masked, tmp_path)
    for _ in range(3):
        trainer.train_step()
    judged = trainer.validation
    assert isinstance(judged, Validation)
    assert judged.blind(trainer.model) == judged(trainer.model)


def test_a_shuffled_trajectory_has_the_object_of_another_group(store: TrajectoryStore) -> None:
    loaded, shuffled = data(store, "point_cloud"), data(store, "point_cloud", "shuffled")
    frames, swapped = frames_of(loaded), frames_of(shuffled)
    truth, other = seen(frames), seen(swapped)
    names = loaded.provenance["training_tracks"]
    groups = np.repeat([int(name.rsplit("_", 1)[1]) // 2 for name in names], 2)
    for number, length in enumerate(frames.lengths):
        own = other[frames.episode(number)]
        donors = [
            i for i in range(len(frames.lengths))
            if torch.equal(own[0], truth[frames.episode(i)][0])
        ]  # fmt: skip
        assert len(donors) == 1
        assert groups[donors[0]] != groups[number]
        theirs = truth[frames.episode(donors[0])]
        ticks = torch.arange(int(length)).clamp_max(len(theirs) - 1)
        assert torch.equal(own, theirs[ticks])
    again = data(store, "point_cloud", "shuffled")
    assert torch.equal(seen(frames_of(again)), other)


def test_none_is_given_twice_within_a_group_while_others_are_left() -> None:
    lengths, groups = np.full(12, 2), np.repeat(["a", "b", "c"], 4)
    given = foreign_rows(lengths, groups, seed=3)[::2] // 2
    for group in "abc":
        assert len(set(given[groups == group])) == 4
    with pytest.raises(TrajectoryError, match=r"all 3 trajectories .* group 'a'.* val_fraction"):
        foreign_rows(np.full(3, 2), np.array(["a"] * 3), seed=0)


def test_a_run_keeps_to_its_control(store: TrajectoryStore, tmp_path: Path) -> None:
    out = tmp_path / "prior"
    assert main([store.address, "-o", str(out), "--objects=masked", *SMALL]) == 0
    assert json.loads((out / ck.PROVENANCE).read_text())["objects"] == "masked"
    again = [store.address, "-o", str(out), "--kept=any", "--resume", "--max-steps=3"]
    with pytest.raises(CheckpointError, match="another set of data"):
        main(again)
    assert main([*again, "--objects=masked"]) == 0
