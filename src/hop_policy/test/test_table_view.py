"""The views from above and from the front: what is where, and bumped cameras are levelled."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from hop_policy.aim import moved_aim
from hop_policy.contract import DepthContract
from hop_policy.table_view import SIZE, Displacement, TableView, level_axes

CONTRACT = DepthContract()
BLOCK = np.array([[-0.03, 0.59, 0.0], [0.05, 0.65, 0.06]])
"""Corners [m]: right of the camera's foot, ahead of it, up."""
STANDING_M = 0.18
PITCH, HEIGHT_M = math.radians(34.0), 0.42


def picture(pitch: float = PITCH, roll: float = 0.0, height_m: float = HEIGHT_M) -> torch.Tensor:
    """A table without end with a block on it, (1, 60, 60) [m], from a camera over the origin."""
    size, half = CONTRACT.size_px, math.tan(math.radians(CONTRACT.fov_deg / 2))
    line = ((np.arange(size) + 0.5) / size * 2 - 1) * half
    x, y = np.meshgrid(line, line)
    x, y = x * math.cos(roll) - y * math.sin(roll), x * math.sin(roll) + y * math.cos(roll)
    ahead = math.cos(pitch) - y * math.sin(pitch)
    up = -y * math.cos(pitch) - math.sin(pitch)
    rays = np.stack([x, ahead, up], axis=-1)
    with np.errstate(divide="ignore"):
        table = np.where(up < 0, -height_m / up, np.inf)
        sides = (BLOCK[:, None, None] - np.array([0.0, 0.0, height_m])) / rays
    enter, leave = sides.min(axis=0).max(axis=-1), sides.max(axis=0).min(axis=-1)
    depth = np.minimum(table, np.where(enter < leave, enter, np.inf))
    return torch.from_numpy(np.minimum(depth, CONTRACT.far_m).astype(np.float32))[None]


def all_moved(shift: torch.Tensor, below_m: list[float]) -> Displacement:
    """All that is lower moves by `shift` (N, 2), wherever it stands."""
    anywhere = torch.zeros_like(shift)
    return Displacement(torch.tensor(below_m), anywhere, anywhere, shift, shift)


def cells_of_block(view: torch.Tensor) -> np.ndarray:
    """Columns and rows of the cells from above that are higher than half of the block."""
    return np.argwhere(view[0, 0].numpy() > 0.3)[:, ::-1]


def test_a_block_is_seen_from_above_where_it_stands_and_as_high_as_it_is() -> None:
    view = TableView(CONTRACT).eval()(picture())
    assert view.shape == (1, 2, SIZE, SIZE)
    assert view[0, 0].max().item() == pytest.approx(0.6, abs=0.01)
    place = cells_of_block(view) * 0.6 / SIZE + np.array([-0.30, 0.30])
    np.testing.assert_allclose(place.min(axis=0), BLOCK[0, :2], atol=0.015)
    np.testing.assert_allclose(place.max(axis=0) + 0.6 / SIZE, BLOCK[1, :2], atol=0.015)
    front = view[0, 1, int(0.08 / 0.5 * SIZE), SIZE // 2]  # 3 cm above the table, in the middle
    assert front.item() * 0.1 == pytest.approx(0.90 - BLOCK[0, 1], abs=0.01)


@pytest.mark.parametrize(
    ("pitch_deg", "roll_deg", "higher_m"), [(5.0, 0.0, 0.0), (-5.0, 4.0, 0.03), (0.0, -5.0, -0.04)]
)
def test_a_tilted_or_raised_camera_is_levelled(
    pitch_deg: float, roll_deg: float, higher_m: float
) -> None:
    bumped = picture(PITCH + math.radians(pitch_deg), math.radians(roll_deg), HEIGHT_M + higher_m)
    views = TableView(CONTRACT).eval()
    down, height_m = views.table(bumped.double())
    assert height_m.item() == pytest.approx(HEIGHT_M + higher_m, abs=1e-3)
    assert down.norm().item() == pytest.approx(1.0)
    tilt = PITCH + math.radians(pitch_deg)
    expected = [
        math.cos(tilt) * math.sin(math.radians(roll_deg)),
        math.cos(tilt) * math.cos(math.radians(roll_deg)),
        math.sin(tilt),
    ]
    np.testing.assert_allclose(down[0].numpy(), expected, atol=2e-3)
    here, there = cells_of_block(views(picture())), cells_of_block(views(bumped))
    np.testing.assert_allclose(there.mean(axis=0), here.mean(axis=0), atol=1.0)
    assert views(bumped)[0, 0].max().item() == pytest.approx(0.6, abs=0.02)


@pytest.mark.parametrize("training", [False, True])
def test_a_table_motion_moves_what_is_seen(training: bool) -> None:
    views = TableView(CONTRACT).train(training)
    here = cells_of_block(views(picture()))
    cell_m = 0.6 / SIZE
    shifted = views(picture(), torch.tensor([[0.0, 4 * cell_m, -3 * cell_m]]))
    np.testing.assert_array_equal(cells_of_block(shifted), here + np.array([4, -3]))
    quarter = cells_of_block(views(picture(), torch.tensor([[math.pi / 2, 0.0, 0.0]])))
    x, y = (here.mean(axis=0) + 0.5) * cell_m - 0.30  # from the middle of the view
    np.testing.assert_allclose((quarter.mean(axis=0) + 0.5) * cell_m - 0.30, [-y, x], atol=0.01)


def test_a_displaced_scene_and_its_aim_move_alike_and_turn_alike() -> None:
    views, cell_m = TableView(CONTRACT), 0.6 / SIZE
    here = cells_of_block(views(picture()))
    shift = torch.tensor([[5 * cell_m, -2 * cell_m]])
    displacement = all_moved(shift, [STANDING_M])
    displaced = cells_of_block(views(picture(), None, displacement))
    np.testing.assert_array_equal(displaced, here + np.array([5, -2]))
    aim = torch.tensor([[1.0, 2.0, -1.0, 0.6, 0.8]])  # [0.1 m]: the palm's way to the block, say
    told = moved_aim(aim, shift)
    torch.testing.assert_close((told - aim)[:, :2] * 0.1, shift)
    turn = torch.tensor([[0.4, 0.0, 0.0]])
    seen = views(picture(), turn, displacement)
    middle = ((displaced + 0.5) * cell_m - 0.30).mean(axis=0)  # from what the view turns about
    c, s = math.cos(0.4), math.sin(0.4)
    np.testing.assert_allclose(
        ((cells_of_block(seen) + 0.5) * cell_m - 0.30).mean(axis=0),
        np.array([[c, -s], [s, c]]) @ middle,
        atol=0.01,
    )
    turned = moved_aim(aim, shift, turn[:, 0])
    R = torch.tensor([[c, -s], [s, c]])
    torch.testing.assert_close(turned[0, :2], R @ told[0, :2])
    torch.testing.assert_close(turned[0, 3:], R @ told[0, 3:])
    assert turned[0, 2] == aim[0, 2]


@pytest.mark.parametrize("training", [False, True])
def test_what_stands_nearer_to_the_one_place_moves_apart_from_the_other(training: bool) -> None:
    views, cell_m = TableView(CONTRACT).train(training), 0.6 / SIZE
    here = cells_of_block(views(picture()))
    by_grasp_m, by_goal_m = torch.tensor([[[4 * cell_m, 0.0]], [[0.0, -3 * cell_m]]])
    beside_m = torch.from_numpy(BLOCK[:, :2].mean(axis=0)).float()[None] + 0.06  # a bumped camera
    nowhere = torch.full_like(beside_m, torch.inf)
    for grasp_m, goal_m, cells in (
        (beside_m, beside_m + 0.15, (4, 0)),
        (beside_m - 0.22, beside_m, (0, -3)),
        (beside_m, nowhere, (4, 0)),
    ):
        below_m = torch.tensor([STANDING_M])
        moved = Displacement(below_m, grasp_m, goal_m, by_grasp_m, by_goal_m)
        seen = cells_of_block(views(picture(), None, moved))
        np.testing.assert_array_equal(seen, here + np.array(cells))


def test_frames_of_a_training_batch_do_not_mix() -> None:
    views = TableView(CONTRACT)
    nothing = torch.full((1, 60, 60), CONTRACT.far_m)
    images = torch.cat([picture(), nothing, picture(roll=0.1)])
    motion = torch.tensor([[0.2, 0.05, 0.0], [0.0, 0.0, 0.0], [-0.1, 0.0, 0.05]])
    shift = torch.tensor([[0.0, 0.02], [0.03, 0.0], [0.04, -0.02]])
    displacement = all_moved(shift, [0.2, 0.2, 0.03])
    together = views(images, motion, displacement)
    alone = [views(images[[i]], motion[[i]], displacement.of(torch.tensor([i]))) for i in range(3)]
    # Rounding differs with the size of a batch, so a point on an edge may fall into the next cell.
    assert ((together - torch.cat(alone)).abs() > 1e-3).float().mean() < 0.002
    assert not together[1].any()
    assert ((together[0] - together[2]).abs() > 1e-3).float().mean() > 0.01


def test_what_is_taller_than_what_stands_on_the_table_stays() -> None:
    image = picture()
    image[:, :6, 28:32] = 0.45  # level with the camera, and so high above the table
    views = TableView(CONTRACT)
    high = views(image)[0, 0] * 0.1 > STANDING_M
    assert high.any()
    shift = all_moved(torch.tensor([[0.08, 0.0]]), [STANDING_M])
    displaced = views(image, None, shift)[0, 0] * 0.1 > STANDING_M
    assert torch.equal(displaced, high)


def test_reduced_precision_around_it_does_not_reach_it() -> None:
    views = TableView(CONTRACT)
    with torch.autocast("cpu", torch.bfloat16):
        half = views(picture())
    assert torch.equal(half, views(picture()))


def test_the_table_itself_is_not_shown() -> None:
    view = TableView(CONTRACT).eval()(picture())
    assert (view[0, 0, 30:, :16] == 0).all()  # from above, beside the block
    assert (view[0, 1, 6:, :16] == 0).all()  # from the front


def test_axes_lie_in_the_table_and_turn_to_the_right() -> None:
    down = torch.tensor([[0.1, 0.8, 0.59]], dtype=torch.float64)
    down = down / down.norm()
    right, ahead = level_axes(down)
    axes = torch.cat([right, ahead, down])
    torch.testing.assert_close(axes @ axes.T, torch.eye(3, dtype=torch.float64))
    assert right[0, 0] > 0.9
    assert ahead[0, 2] > 0


@pytest.mark.parametrize("training", [False, True])
def test_where_nothing_is_seen_the_views_are_empty(training: bool) -> None:
    view = TableView(CONTRACT).train(training)
    assert torch.equal(view(torch.full((2, 60, 60), CONTRACT.far_m)), torch.zeros(2, 2, SIZE, SIZE))


def test_an_arm_before_half_of_the_table_does_not_tilt_it() -> None:
    image = picture()
    image[:, 10:60, 15:38] = 0.3
    down, height_m = TableView(CONTRACT).table(image)
    assert height_m.item() == pytest.approx(HEIGHT_M, abs=2e-3)
    assert down[0, 0].item() == pytest.approx(0.0, abs=3e-3)
