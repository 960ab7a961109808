"""Depth is metric and pinhole, its noise that of a stereo camera; the pose jitters in bounds."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from hop_core.errors import TwinError
from hop_core.robot_config import load_robot
from hop_sim.camera import DepthCamera, episode_pose, jitter_pose
from hop_sim.depth_renderer import DepthRenderer
from hop_sim.stereo_noise import BASELINE_M, StereoLens, stereo_noise

WIDTH, HEIGHT, FOCAL = 320, 180, 132.0
LENS = StereoLens(FOCAL, 0.2, 3.0)


def _down(x: float, y: float, z: float) -> np.ndarray:
    """Return the pose of a camera at (x, y, z) that looks straight down, image x along world x."""
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[:3, 3] = x, y, z
    return pose


ABOVE = _down(0.6, -0.2, 0.5)


def renderer_of(model) -> DepthRenderer:
    return DepthRenderer(model, WIDTH, HEIGHT, FOCAL)


@pytest.fixture(scope="module")
def renderer(table_scene):
    opened = renderer_of(table_scene)
    yield opened
    opened.close()


def _qpos(model, cube=(0.5, 0.2, 0.03)) -> np.ndarray:
    qpos = model.qpos0.copy()
    qpos[23:26] = cube
    return qpos


def test_depth_of_a_plane_is_its_distance_along_the_axis_to_a_millimetre(renderer, table_scene):
    depth = renderer.render(_qpos(table_scene, (0.85, 0.45, 0.03)), _down(0.6, -0.2, 0.5))
    patch = depth[60:120, 100:220]
    assert patch.dtype == np.float32
    np.testing.assert_allclose(
        patch, 0.5, atol=1e-3
    )  # not the ray's length, which differs by 25 % in the corners


def test_box_appears_where_the_pinhole_puts_it_and_at_its_height(renderer, table_scene):
    depth = renderer.render(_qpos(table_scene, (0.62, -0.2, 0.03)), _down(0.6, -0.2, 0.5))
    rows, columns = np.nonzero(np.abs(depth - 0.44) < 1e-3)
    # Principal point at (W-1)/2; top face 0.44 m away, its centre 2 cm to the right, half side 3
    # cm.
    assert columns.mean() == pytest.approx((WIDTH - 1) / 2 + FOCAL * 0.02 / 0.44, abs=0.6)
    assert rows.mean() == pytest.approx((HEIGHT - 1) / 2, abs=0.6)
    assert np.ptp(columns) + 1 == pytest.approx(2 * FOCAL * 0.03 / 0.44, abs=1.5)


def test_a_renderer_that_is_gone_takes_nothing_from_another(table_scene):
    """Both name their buffers alike, each in its own OpenGL context."""
    places = [(0.62, -0.2, 0.03), (0.55, -0.25, 0.03)]
    images = [renderer_of(table_scene).render(_qpos(table_scene, p), ABOVE) for p in places]
    assert not np.array_equal(*images)
    first, second = renderer_of(table_scene), renderer_of(table_scene)
    first.render(_qpos(table_scene), ABOVE)
    second.render(_qpos(table_scene), ABOVE)
    del first
    gc.collect()
    for place, image in zip(places, images, strict=True):
        assert np.array_equal(second.render(_qpos(table_scene, place), ABOVE), image)
    second.close()


def test_a_renderer_that_has_lost_its_buffers_says_so(table_scene):
    first, second = renderer_of(table_scene), renderer_of(table_scene)
    second.render(_qpos(table_scene), ABOVE)
    first._buffer._mjr.free()  # in the second's context
    for render in (second.render, second.render_color):
        with pytest.raises(TwinError, match="the renderer gave no image"):
            render(_qpos(table_scene), ABOVE)


def test_the_far_plane_stands_where_there_is_nothing(renderer, table_scene):
    up = _down(0.6, 0.0, 0.5)
    up[:3, :3] = np.diag([1.0, 1.0, 1.0])
    depth = renderer.render(_qpos(table_scene), up)
    assert depth.max() == pytest.approx(6.0, rel=1e-3)


def test_twin_camera_sees_the_table_centre_in_the_middle_of_its_image():
    camera = load_robot("twin").camera
    point = np.linalg.inv(camera.T_base_cam) @ np.array([0.5, 0.0, 0.06, 1.0])
    assert point[2] > 0.5
    np.testing.assert_allclose(point[:2] / point[2] * camera.focal_px, 0.0, atol=1.0)


def test_noise_grows_with_the_square_of_range():
    errors = []
    for distance in (0.4, 0.8, 1.6):
        plane = np.full((HEIGHT, WIDTH), distance, dtype=np.float32)
        seen = stereo_noise(plane, np.random.default_rng(1), LENS)
        errors.append(np.nanstd(seen[np.isfinite(seen)] - distance))
    ratios = np.array(errors[1:]) / errors[:-1]
    np.testing.assert_allclose(ratios, 4.0, rtol=0.1)
    expected = 0.4**2 / (FOCAL * BASELINE_M) * 0.15 / 4  # 0.15 px at HD720, four times this width
    assert errors[0] == pytest.approx(expected, rel=0.1)


def test_a_flat_wall_keeps_nearly_all_of_its_pixels():
    plane = np.full((HEIGHT, WIDTH), 0.7, dtype=np.float32)
    seen = stereo_noise(plane, np.random.default_rng(0), LENS)
    assert 0.001 < np.isnan(seen).mean() < 0.03


def test_shadow_lies_left_of_a_near_object_and_is_as_wide_as_the_disparity_differs():
    depth = np.full((HEIGHT, WIDTH), 1.0, dtype=np.float32)
    depth[:, 150:200] = 0.5
    seen = stereo_noise(depth, np.random.default_rng(0), LENS)
    width = FOCAL * BASELINE_M * (1 / 0.5 - 1 / 1.0)  # 15.8 px
    lost = np.isnan(seen).mean(axis=0)
    assert np.all(lost[150 - int(width) + 2 : 149] > 0.95)
    assert lost[150 - int(width) - 6 : 150 - int(width) - 2].mean() < 0.1
    assert lost[205:230].mean() < 0.1


def test_edges_lose_about_half_of_their_pixels_and_twice_the_noise_loses_more():
    depth = np.full((HEIGHT, WIDTH), 0.8, dtype=np.float32)
    depth[90:] = 0.6
    lost = [
        np.isnan(stereo_noise(depth, np.random.default_rng(0), LENS, scale)[89:91]).mean()
        for scale in (0.5, 1.0, 2.0)
    ]
    assert lost[0] == pytest.approx(0.25, abs=0.08)
    assert lost[1] == pytest.approx(0.5, abs=0.08)
    assert lost[2] > 0.95


def test_range_limits_are_infinities_and_zero_scale_changes_nothing_else():
    depth = np.array([[0.1, 0.5, 5.0]], dtype=np.float32)
    seen = stereo_noise(depth, np.random.default_rng(0), LENS, scale=0.0)
    assert seen.tolist() == [[-np.inf, 0.5, np.inf]]


def test_same_seed_gives_the_same_frames_and_another_seed_others(table_scene):
    camera = DepthCamera(table_scene, load_robot("twin").camera, seed=5)
    qpos = _qpos(table_scene)
    first = [camera.render(qpos) for _ in range(2)]
    camera.begin(5)
    again = [camera.render(qpos) for _ in range(2)]
    camera.begin(6)
    other = camera.render(qpos)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first[0], first[1], equal_nan=True)
    assert not np.array_equal(first[0], other, equal_nan=True)
    camera.close()


def test_jitter_stays_within_4_cm_and_5_degrees_on_each_axis_and_fills_them():
    nominal, rng = load_robot("twin").camera.T_base_cam, np.random.default_rng(0)
    moved, turned = [], []
    for _ in range(400):
        pose = jitter_pose(nominal, rng, 0.04, np.radians(5.0))
        np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
        moved.append(pose[:3, 3] - nominal[:3, 3])
        relative = nominal[:3, :3].T @ pose[:3, :3]
        turned.append(
            [
                relative[2, 1] - relative[1, 2],
                relative[0, 2] - relative[2, 0],
                relative[1, 0] - relative[0, 1],
            ]
        )
    assert 0.039 < np.abs(moved).max() <= 0.04
    assert np.radians(4.8) < np.abs(turned).max() / 2 < np.radians(5.01)


def test_episode_pose_is_a_function_of_the_seed():
    robot = load_robot("twin")
    pose = episode_pose(robot.camera, robot.twin, 7)
    np.testing.assert_array_equal(pose, episode_pose(robot.camera, robot.twin, 7))
    assert not np.allclose(pose, episode_pose(robot.camera, robot.twin, 8))
    shifted = episode_pose(robot.camera, robot.twin, 7, shift_m=(0.05, 0.0, 0.0))
    np.testing.assert_allclose(shifted[:3, 3] - pose[:3, 3], [0.05, 0.0, 0.0])
    still = episode_pose(robot.camera, robot.twin, 7, jitter=0.0)
    np.testing.assert_allclose(still, robot.camera.T_base_cam)
