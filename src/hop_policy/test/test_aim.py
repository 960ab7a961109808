"""Facts about where hands take hold: labels, frames that teach it, what a run does first."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from hop_core.embodiment import ARM, BENDING_JOINTS, JOINT_NAMES, load_embodiment
from hop_core.errors import CheckpointError, ConfigError
from hop_core.kinematics import Kinematics
from hop_core.robot_config import load_robot
from hop_core.robot_model import TIP_SITES
from hop_policy import checkpoint as ck
from hop_policy.aim import (
    GOAL_PLACE,
    GRASP_PLACE,
    HELD,
    ROW,
    Aiming,
    AimSampler,
    goal_tick,
    grasp_tick,
    moved_aim,
    opening_tick,
)
from hop_policy.augment import Augmenter
from hop_policy.cell_statics import cell_frames, cell_statics
from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode, store_episodes
from hop_policy.encoders import EncoderConfig
from hop_policy.model import AIM, PolicyConfig
from hop_policy.objective import AIM_ERRORS
from hop_policy.observation import JointScaling
from hop_policy.segments import Share
from hop_policy.train import train
from hop_policy.train_config import AugmentConfig, TrainConfig
from hop_policy.train_data import TrainData, _aim_rows, data_of_episodes, fingerprint
from hop_policy.train_progress import TrainProgress
from hop_policy.trainer import Trainer

CONTRACT = PolicyContract()
CELL = cell_frames(cell_statics(load_robot("twin")).frames)
BENDING = [JOINT_NAMES.index(name) for name in BENDING_JOINTS]
GRASP, OBJECT_M = 7, 0.18
TOY = TrainConfig(
    model=PolicyConfig(
        layers=1,
        width=32,
        heads=2,
        context=4,
        encoder=EncoderConfig(channels=(4, 4, 8, 8), view="table"),
        aim=True,
    ),
    augment=AugmentConfig(table_turn_rad=0.1, table_shift_m=0.05, displaced_m=0.1),
    segments=4,
    windows=2,
    stride=2,
    aim_frames=6,
    aim_first=0.5,
    max_steps=4,
    validate_every=2,
    device="cpu",
)


APART = TOY.augment.model_copy(update={"displaced_apart": True})


def reach(name: str, seed: int) -> Episode:
    """The arm sinks from home and the fingers bend half way at tick `GRASP` of 12."""
    embodiment, rng = load_embodiment(), np.random.default_rng(seed)
    q = np.repeat(embodiment.home[None], 12, axis=0)
    q[:, ARM] += np.linspace(0.0, 1.0, 12)[:, None] * np.array([0.0, 0.35, 0.0, 0.2, 0, 0, 0])
    q[:, 0] += rng.uniform(-0.2, 0.2)
    target = q.copy()
    target[:, BENDING] = np.where(np.arange(12) < GRASP, 0.2, 1.0)[:, None]
    vision = rng.uniform(0.4, 0.9, (12, 60, 60)).astype(np.float32)
    scale = embodiment.scale
    proprio, action = (scale(angles).astype(np.float32) for angles in (q, target))
    return Episode(name, proprio, vision, action, cell=CELL)


def between_fingers(poses: dict[str, np.ndarray]) -> np.ndarray:
    """Right and ahead of the twin's camera, which looks along y of base_link."""
    grip = 0.5 * poses["thumb_tip"][:3, 3]
    grip += sum(poses[f"{name}_tip"][:3, 3] for name in ("index", "middle", "ring")) / 6
    return (grip - CELL.T_base_cam[:3, 3])[:2]


def data(config: TrainConfig = TOY) -> TrainData:
    return data_of_episodes([reach(f"e{i}", i) for i in range(4)], CONTRACT, config)


def test_a_hand_takes_hold_as_its_fingers_bend() -> None:
    assert grasp_tick(reach("one", 0).action) == GRASP
    still = np.random.default_rng(0).normal(0, 0.01, (12, 23)).astype(np.float32)
    assert grasp_tick(still) == 0


def test_an_aim_is_the_palms_way_in_the_level_axes_of_the_camera() -> None:
    episode, kinematics = reach("one", 0), Kinematics()
    rows = Aiming(CONTRACT, OBJECT_M).rows(episode.proprio, GRASP, CELL)
    assert rows.shape == (12, ROW)
    assert np.isnan(rows[GRASP:]).all()
    q = JointScaling(CONTRACT).unscale(episode.proprio.astype(np.float64))
    now, then = (kinematics.site_pose(q[i], "palm") for i in (2, GRASP))
    # The twin's camera looks along y of base_link, so that its right is x.
    np.testing.assert_allclose(rows[2, :3] * 0.1, then[:3, 3] - now[:3, 3], atol=1e-5)
    np.testing.assert_allclose(rows[2, 3:AIM], then[:2, 0], atol=1e-5)
    tips = [kinematics.fk(row) for row in q[:GRASP]]
    lowest_m = np.array([min(sites[tip][2, 3] for tip in TIP_SITES) for sites in tips])
    np.testing.assert_array_equal(rows[:GRASP, AIM] > 0, lowest_m > OBJECT_M)  # it only sinks
    assert 0 < (rows[:GRASP, AIM] > 0).sum() < GRASP
    lower = np.eye(4)
    lower[2, 3] = -1.0
    far_below = Aiming(CONTRACT, OBJECT_M).rows(
        episode.proprio, GRASP, replace(CELL, T_base_table=lower)
    )
    assert far_below[:GRASP, AIM].all()
    grip_m = between_fingers(kinematics.fk(q[GRASP]))
    np.testing.assert_allclose(rows[2, GRASP_PLACE], grip_m, atol=1e-5)
    assert np.isinf(rows[:GRASP, GOAL_PLACE]).all()
    assert not rows[:GRASP, HELD].any()
    assert np.isnan(Aiming(CONTRACT, OBJECT_M).rows(episode.proprio, 0, CELL)).all()


def test_a_hand_is_at_its_goal_as_it_lets_go_or_at_the_end() -> None:
    action = reach("one", 0).action
    assert goal_tick(action, GRASP) == 11
    assert opening_tick(action, GRASP) is None
    action[10:, BENDING] = action[0, BENDING]
    assert goal_tick(action, GRASP) == opening_tick(action, GRASP) == 10


def test_where_a_pause_cuts_a_recording_is_no_goal_of_what_is_held() -> None:
    config = TOY.model_copy(update={"aim_goal_m": 0.05})

    def rows(episode: Episode) -> np.ndarray:
        return _aim_rows([episode], CONTRACT, config)

    whole = reach("one", 0)
    cut = replace(whole, goes_on=True)
    assert np.isfinite(rows(whole)[GRASP:11]).all()
    assert np.isnan(rows(cut)[GRASP:]).all()
    assert np.isinf(rows(cut)[:GRASP, GOAL_PLACE]).all()
    before = slice(None, GRASP), slice(None, GOAL_PLACE.start)
    np.testing.assert_array_equal(rows(cut)[before], rows(whole)[before])
    action = whole.action.copy()
    action[10:, BENDING] = action[0, BENDING]  # it has let go before the pause
    np.testing.assert_array_equal(
        rows(replace(cut, action=action)), rows(replace(whole, action=action))
    )


def test_after_a_grasp_the_aim_is_where_the_object_is_brought_to() -> None:
    """Down to the object within seven ticks, and up again until the end; the arm strays there."""
    episode, kinematics, goal = reach("one", 0), Kinematics(), 11
    way = [*range(GRASP), GRASP, 5, 3, 1, 0]
    proprio, action = episode.proprio[way].copy(), episode.action.copy()
    action[:, ARM] = proprio[:, ARM]
    proprio[-2:, 0] += 0.02
    aiming = Aiming(CONTRACT, OBJECT_M, goal_m=0.05)
    rows = aiming.rows(proprio, GRASP, CELL, action)
    q = JointScaling(CONTRACT).unscale(proprio.astype(np.float64))
    sites = [kinematics.fk(row) for row in q]
    palms = np.stack([each["palm"] for each in sites])
    asked = kinematics.fk(JointScaling(CONTRACT).unscale(action.astype(np.float64))[goal - 1])
    np.testing.assert_allclose(rows[8, :3] * 0.1, (asked["palm"] - palms[8])[:3, 3], atol=1e-5)
    np.testing.assert_allclose(rows[8, 3:AIM], asked["palm"][:2, 0], atol=1e-5)
    np.testing.assert_allclose(rows[2, GOAL_PLACE], between_fingers(asked), atol=1e-5)
    np.testing.assert_allclose(rows[2, 3:AIM], palms[GRASP, :2, 0], atol=1e-5)
    assert np.isnan(rows[goal:]).all()
    tips_m = np.array([min(each[tip][2, 3] for tip in TIP_SITES) for each in sites])
    risen_m = palms[:, 2, 3] - palms[GRASP, 2, 3]
    above = np.minimum(tips_m, risen_m)[GRASP:goal] > 0.05
    np.testing.assert_array_equal(rows[GRASP:goal, AIM], np.float32(0.05) * above)
    np.testing.assert_array_equal(rows[:goal, HELD], np.arange(goal) >= GRASP)
    assert (rows[:goal, GRASP_PLACE] == rows[0, GRASP_PLACE]).all()
    assert 0 < above.sum() < len(above)
    for other in (Aiming(CONTRACT, OBJECT_M), aiming):  # no goal is taught, or known
        known = action if other is not aiming else None
        assert np.isnan(other.rows(proprio, GRASP, CELL, known)[GRASP:]).all()
    assert not Aiming(CONTRACT, goal_m=0.05).rows(proprio, GRASP, CELL, action)[:GRASP, AIM].any()


def test_validation_tells_how_far_aims_of_held_out_frames_are_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over all of them, right, ahead and up; a run that teaches no aim tells none."""
    learnt = data(TOY)
    assert learnt.val_aims is not None
    held_out = torch.cat([batch.aim for batch in learnt.val_aims.all()])
    assert len(held_out) == len(learnt.val_aims) > TOY.aim_frames
    trainer = Trainer(TOY, CONTRACT, learnt, tmp_path)
    answers = iter(torch.split(held_out + torch.tensor([0.1, -0.2, 0.3, 1, 1]), TOY.aim_frames))
    monkeypatch.setattr(trainer.model, "aim", lambda _vision: next(answers))
    metrics = trainer.validation(trainer.model)
    np.testing.assert_allclose([metrics[key] for key in AIM_ERRORS], [10, 20, 30], rtol=1e-4)
    assert trainer.model.training
    none = TOY.model_copy(update={"aim_frames": 0})
    assert data(none).val_aims is None


def test_frames_before_a_grasp_are_drawn_and_shared_out() -> None:
    episodes = [reach("a", 0), reach("b", 1)]
    store, aiming = store_episodes(episodes, CONTRACT), Aiming(CONTRACT, OBJECT_M)
    rows = np.concatenate([aiming.rows(e.proprio, GRASP, CELL) for e in episodes])
    sampler = AimSampler(store, rows, frames=40, seed=3)
    assert len(sampler) == 2 * GRASP
    whole = sampler.batch(5)
    assert torch.equal(whole.vision, sampler.batch(5).vision)
    assert not torch.equal(whole.vision, sampler.batch(6).vision)
    drawn = {int(torch.cdist(v.view(1, -1), store.vision(torch.arange(24)).view(24, -1)).argmin())
             for v in whole.vision}  # fmt: skip
    assert drawn <= {*range(GRASP), *range(12, 12 + GRASP)}
    assert len(drawn) > GRASP
    parts = [sampler.batch(5, Share(i, 2)) for i in range(2)]
    assert torch.equal(torch.cat([part.aim for part in parts]), whole.aim)
    changed = Augmenter(APART, CONTRACT, torch.full((23,), 0.1), 0).aims(whole, 5)
    for i, part in enumerate(parts):
        mine = Augmenter(APART, CONTRACT, torch.full((23,), 0.1), 0, Share(i, 2))
        rows_of = Share(i, 2).rows(40)
        alike = mine.aims(part, 5)
        for key in ("vision", "aim", "table_motion"):
            assert torch.equal(getattr(alike, key), getattr(changed, key)[rows_of])
        for one, all_of_them in zip(alike.displacement, changed.displacement, strict=True):
            assert torch.equal(one, all_of_them[rows_of])


def test_an_aim_goes_where_the_scene_was_moved_unless_the_hand_is_in_it() -> None:
    batch = data().aims.batch(0)
    assert not (batch.below_m > 0).all()
    changed = Augmenter(TOY.augment, CONTRACT, torch.full((23,), 0.1), 0).aims(batch, 0)
    shift_m = changed.displacement.by_grasp_m
    moved = shift_m.abs().sum(1) > 0
    assert torch.equal(moved, batch.below_m > 0)
    assert torch.equal(changed.displacement.below_m, batch.below_m)
    assert torch.equal(changed.displacement.by_goal_m, shift_m)
    turn = changed.table_motion[:, 0]
    torch.testing.assert_close(changed.aim, moved_aim(batch.aim, shift_m, turn))
    stays = moved_aim(batch.aim, torch.zeros_like(shift_m), turn)
    assert torch.equal(changed.aim[~moved], stays[~moved])


def test_what_is_taken_hold_of_moves_apart_from_what_it_is_brought_to() -> None:
    batch = data().aims.batch(0)
    batch = replace(batch, below_m=torch.full_like(batch.below_m, 0.1))
    held = torch.arange(len(batch.held)) % 2 > 0
    changed = Augmenter(APART, CONTRACT, torch.full((23,), 0.1), 0).aims(
        replace(batch, held=held), 0
    )
    by_grasp_m, by_goal_m = changed.displacement.by_grasp_m, changed.displacement.by_goal_m
    assert ((by_grasp_m - by_goal_m).abs().sum(1) > 0).all()
    shift_m = torch.where(held[:, None], by_goal_m, by_grasp_m)
    turn = changed.table_motion[:, 0]
    torch.testing.assert_close(changed.aim, moved_aim(batch.aim, shift_m, turn))


@pytest.mark.parametrize("change", [{"augment": APART}, {"aim_goal_m": 0.07}])
def test_what_cannot_be_displaced_apart_is_refused(change: dict[str, object]) -> None:
    """There is no goal, or nothing is displaced."""
    still = APART.model_copy(update={"displaced_m": 0.0})
    values = TOY.model_dump() | {"augment": still} | change
    with pytest.raises(ValueError, match=r"displaced_apart needs augment\.displaced_m and aim"):
        TrainConfig.model_validate(values)


def test_a_run_learns_first_to_see_and_then_to_act(tmp_path: Path) -> None:
    trainer = Trainer(TOY, CONTRACT, data(), tmp_path)
    before = {name: p.clone() for name, p in trainer.model.named_parameters()}

    def changed() -> set[str]:
        now = trainer.model.named_parameters()
        return {name.split(".")[0] for name, p in now if not torch.equal(p, before[name])}

    trainer.train_step()
    assert changed() == {"embed_vision", "aim_head"}
    for _ in range(2):
        trainer.train_step()
    assert {"blocks", "action_head", "embed_proprio"} <= changed()


def test_terms_of_the_loss_are_told_and_a_rate_is_of_the_time_of_acting(tmp_path: Path) -> None:
    model = TOY.model.model_copy(update={"foresight": (1, 2)})
    config = TOY.model_copy(update={"model": model})
    progress = TrainProgress(Console(file=io.StringIO()))
    metrics = train(config, CONTRACT, data(config), tmp_path, progress=progress)
    start, seeing, acting = metrics["history"]
    terms = ("act_loss", "foresight_loss", "aim_loss")
    assert start["train_loss"] is None
    assert [term for term in terms if term in seeing] == ["aim_loss"]
    assert seeing["aim_loss"] == seeing["train_loss"]
    assert sum(acting[term] for term in terms) == pytest.approx(acting["train_loss"], rel=1e-6)
    pace = ck.load_training_state(tmp_path)["pace"]
    assert 0 < pace["seeing_s"] < pace["elapsed_s"]
    acting_s = pace["elapsed_s"] - pace["seeing_s"]
    assert metrics["samples_per_s"] == pytest.approx(pace["windows"] / acting_s)


def test_a_network_that_aims_can_learn_from_data_without_aims(tmp_path: Path) -> None:
    """So that one is finetuned from a base of hands that touched nothing."""
    config = TOY.model_copy(update={"aim_frames": 0})
    trainer = Trainer(config, CONTRACT, data(config), tmp_path)
    before = trainer.model.action_head.weight.clone()
    trainer.train_step()
    assert not torch.equal(trainer.model.action_head.weight, before)
    assert trainer.model.aims


@pytest.mark.parametrize("killed_at", [1, 3])  # while it only learns to see, and after
def test_a_killed_run_goes_on_bit_for_bit(tmp_path: Path, killed_at: int) -> None:
    config = TOY.model_copy(update={"validate_every": 1})
    progress = TrainProgress(Console(file=io.StringIO()))
    train(config, CONTRACT, data(), tmp_path / "whole", progress=progress)
    trainer = Trainer(config, CONTRACT, data(), tmp_path / "killed")
    step = trainer.train_step

    def dies() -> None:
        if trainer.step == killed_at:
            raise KeyboardInterrupt
        step()

    trainer.train_step = dies  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.run(progress)
    train(config, CONTRACT, data(), tmp_path / "killed", resume=True, progress=progress)
    one, two = (ck.read_weights(tmp_path / name / ck.LAST_WEIGHTS) for name in ("whole", "killed"))
    assert all(torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize(("steps", "acts"), [(1, False), (3, True)])
def test_a_run_that_has_begun_to_act_goes_on_acting_for_a_longer_budget(
    steps: int, acts: bool, tmp_path: Path
) -> None:
    """Four steps, of which the first two learn to see, become a hundred."""
    trainer = Trainer(TOY, CONTRACT, data(), tmp_path)
    for _ in range(steps):
        trainer.train_step()
    trainer._validate_and_save(TrainProgress(Console(file=io.StringIO())))
    longer = Trainer(TOY.model_copy(update={"max_steps": 100}), CONTRACT, data(), tmp_path)
    longer.resume()
    before = longer.model.action_head.weight.clone()
    longer.train_step()
    assert torch.equal(longer.model.action_head.weight, before) != acts


def test_a_checkpoint_tells_where_its_cameras_stood(tmp_path: Path) -> None:
    progress = TrainProgress(Console(file=io.StringIO()))
    train(TOY, CONTRACT, data(), tmp_path / "run", progress=progress)
    (camera,) = ck.load_checkpoint_config(tmp_path / "run").cameras
    assert np.allclose(camera.T_base_cam, CELL.T_base_cam, atol=1e-5)


def test_cameras_are_those_of_the_episodes_that_tell_theirs_and_of_images_alone() -> None:
    without = TOY.model_copy(update={"aim_frames": 0})
    mixed = [replace(reach(f"e{i}", i), cell=CELL if i % 2 else None) for i in range(4)]
    assert len(data_of_episodes(mixed, CONTRACT, without).cameras) == 1
    unknown = [replace(each, cell=None) for each in mixed]
    assert data_of_episodes(unknown, CONTRACT, without).cameras == ()
    clouds = PolicyContract(vision="point_cloud")
    points = [replace(each, vision=np.ones((12, 100, 3), np.float32)) for each in mixed]
    assert data_of_episodes(points, clouds, without).cameras == ()


def test_episodes_without_a_grasp_are_refused_by_name() -> None:
    still = [reach(f"e{i}", i) for i in range(3)]
    still = [replace(episode, action=episode.proprio) for episode in still]
    with pytest.raises(ConfigError, match=r"model\.aim: in none of the training episodes"):
        data_of_episodes(still, CONTRACT, TOY)


def test_an_episode_without_its_cells_frames_is_refused_where_an_aim_is_asked_for() -> None:
    unknown = [replace(reach(f"e{i}", i), cell=None) for i in range(3)]
    with pytest.raises(ConfigError, match=r"episode e\d does not tell where camera and"):
        data_of_episodes(unknown, CONTRACT, TOY)
    without = TOY.model_copy(update={"aim_frames": 0})
    assert data_of_episodes(unknown, CONTRACT, without).aims is None


def test_the_fingerprint_covers_all_that_is_learnt_from() -> None:
    known, beside = reach("e0", 0), reach("e1", 1)
    moved = np.eye(4, k=3)
    others = [
        replace(known, name="e9"),
        replace(known, proprio=known.proprio[::-1]),
        replace(known, vision=known.vision + np.float32(1e-3)),
        replace(known, action=known.action[::-1]),
        replace(known, cell=replace(CELL, T_base_cam=CELL.T_base_cam + moved)),
        replace(known, cell=replace(CELL, T_base_table=CELL.T_base_table + moved)),
        replace(known, cell=None),
    ]
    prints = {fingerprint([each, beside]) for each in (known, *others)}
    assert len(prints) == 1 + len(others)
    assert fingerprint([replace(known, goes_on=True), beside]) in prints  # how it was cut


def test_a_run_of_other_images_is_not_resumed(tmp_path: Path) -> None:
    progress = TrainProgress(Console(file=io.StringIO()))
    train(TOY, CONTRACT, data(), tmp_path, progress=progress)
    seen = [reach(f"e{i}", i) for i in range(4)]
    seen[0] = replace(seen[0], vision=seen[0].vision[::-1])
    other = data_of_episodes(seen, CONTRACT, TOY)
    with pytest.raises(CheckpointError, match="with another set of data than now asked for"):
        train(TOY, CONTRACT, other, tmp_path, resume=True, progress=progress)


def test_aims_follow_each_episodes_own_camera() -> None:
    turned = CELL.T_base_cam.copy()
    turned[:3, :3] = np.diag([-1.0, -1.0, 1.0]) @ turned[:3, :3]  # from the other side
    cells = CELL, replace(CELL, T_base_cam=turned)
    rows = [Aiming(CONTRACT, OBJECT_M).rows(reach("a", 0).proprio, GRASP, cell) for cell in cells]
    flipped = rows[0][:GRASP].copy()
    flipped[:, [0, 1, 3, 4]] *= -1
    flipped[:, GRASP_PLACE] *= -1
    np.testing.assert_allclose(rows[1][:GRASP], flipped, atol=1e-6)
