"""What of `retarget.yaml` and of human keypoints is accepted, and what they mean."""

import numpy as np
import pytest

from hop_core.config import config_path, load_config, validate
from hop_core.embodiment import load_embodiment
from hop_core.errors import ConfigError, RetargetingError
from hop_core.kinematics import Kinematics
from hop_core.retargeting.config import HAND_FRAMES, RetargetConfig, load_retarget
from hop_core.retargeting.objective import palm_angle_rad
from hop_core.retargeting.robot_points import RobotPoints, body_points
from hop_core.retargeting.target_points import target_points
from hop_core.robot_model import robot_model

CONFIG = load_retarget()
FIRST, *REST = CONFIG.model_dump()["points"]


def test_correspondence_is_the_one_decided():
    pairs = {point.name: (point.keypoint, point.frame) for point in CONFIG.points}
    assert pairs == {
        "palm": (9, "palm"),
        "index_root": (5, "index_base"),
        "ring_root": (13, "ring_base"),
        "wrist": (0, "palm"),
        "thumb_tip": (4, "thumb_tip"),
        "index_tip": (8, "index_tip"),
        "middle_tip": (12, "middle_tip"),
        "ring_tip": (16, "ring_tip"),
    }
    assert CONFIG.scale == 1.0
    weight = {point.name: point.weight for point in CONFIG.points}
    helpers = ("index_root", "ring_root", "wrist")
    assert max(weight[name] for name in helpers) < 0.5 * weight["palm"]
    assert [point.name for point in CONFIG.points if not point.scored] == list(helpers)


def test_the_arm_is_pulled_by_its_own_factor():
    assert CONFIG.lambdas[:7] == pytest.approx(CONFIG.arm_pull * CONFIG.lambda_m2_per_rad2)
    assert CONFIG.lambdas[7:] == pytest.approx(CONFIG.lambda_m2_per_rad2)


def test_tips_meet_on_the_skin_of_12_mm_spheres():
    for point in CONFIG.points:
        if point.name.endswith("_tip"):
            assert np.linalg.norm(point.offset_m) == pytest.approx(0.012, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": [{**FIRST, "frame": "elbow"}, *REST]}, r"points\.0\.frame.*the hand has palm"),
        ({"points": [{**FIRST, "frame": "link3"}, *REST]}, r"points\.0\.frame.*the hand has palm"),
        ({"points": [{**FIRST, "keypoint": 21}, *REST]}, r"points\.0\.keypoint.*less than 21"),
        ({"points": [{**FIRST, "weight": 0.0}, *REST]}, r"points\.0\.weight.*greater than 0"),
        ({"points": [FIRST, FIRST]}, "named twice: palm"),
        ({"points": [{**FIRST, "scored": False}]}, "at least one of the points must be scored"),
        ({"points": []}, "points"),
        ({"lambda_m2_per_rad2": -1e-3}, "lambda_m2_per_rad2.*greater than 0"),
        ({"lamda": 1.0}, "unknown key 'lamda'; allowed keys: .*lambda_m2_per_rad2"),
        ({"lm": {**CONFIG.lm.model_dump(), "damping_warm": 20.0}}, "damping_warm <= damping_cold"),
        ({"nlopt": {**CONFIG.nlopt.model_dump(), "vector_storage": 0}}, "nlopt.vector_storage"),
    ],
)
def test_a_wrong_value_is_named(change, message):
    with pytest.raises(ConfigError, match=message):
        validate({**CONFIG.model_dump(), **change}, RetargetConfig, "retarget.yaml")


def test_another_lambda_obeys_the_same_rule():
    assert CONFIG.with_lambda(1e-4).lambda_m2_per_rad2 == 1e-4
    with pytest.raises(ConfigError, match="lambda_m2_per_rad2"):
        CONFIG.with_lambda(0.0)


def test_the_file_is_named_too(tmp_path):
    text = config_path("retarget.yaml").read_text().replace("scale: 1.0", "scale: big")
    (tmp_path / "retarget.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"retarget\.yaml: scale"):
        load_config(tmp_path / "retarget.yaml", RetargetConfig)


def test_every_frame_that_may_be_named_is_on_the_robot():
    frames = [
        {**FIRST, "name": frame, "frame": frame, "offset_m": (0.0, 0.0, 0.0)}
        for frame in HAND_FRAMES
    ]
    config = validate({**CONFIG.model_dump(), "points": frames}, RetargetConfig, "test")
    assert len(body_points(robot_model(), config).body) == len(HAND_FRAMES)


def test_points_are_where_the_robots_own_sites_say():
    q = load_embodiment().home
    points, pose = RobotPoints(CONFIG).positions(q), Kinematics().fk(q)
    for point, position in zip(CONFIG.points, points, strict=True):
        if point.frame in pose:
            expected = pose[point.frame] @ [*point.offset_m, 1.0]
            assert position == pytest.approx(expected[:3], abs=1e-12)


def test_jacobian_is_the_derivative_of_the_points():
    points, q, step = RobotPoints(CONFIG), load_embodiment().home, 1e-6
    jacobian = points.jacobian(points.positions(q)).copy()
    for i in range(23):
        nudge = step * np.eye(23)[i]
        moved = points.positions(q + nudge) - points.positions(q - nudge)
        assert jacobian[:, :, i] == pytest.approx(moved / (2 * step), abs=1e-8)


def test_goals_are_the_named_keypoints_in_metres():
    keypoints = np.random.default_rng(0).normal(size=(3, 21, 3)).astype(np.float32)
    goals = target_points(keypoints, CONFIG)
    assert goals.dtype == np.float64
    assert np.array_equal(goals, keypoints[:, [9, 5, 13, 0, 4, 8, 12, 16]].astype(np.float64))


def test_another_scale_is_about_the_objects_own_point():
    keypoints = np.random.default_rng(0).normal(size=(2, 21, 3))
    config = CONFIG.model_copy(update={"scale": 1.5})
    centre = np.array([0.6, 0.1, 0.0])
    goals = target_points(keypoints, config, centre)
    assert goals[1, 0] == pytest.approx(centre + 1.5 * (keypoints[1, 9] - centre))
    with pytest.raises(RetargetingError, match="scale_about_m"):
        target_points(keypoints, config)


def test_palm_angle_is_that_between_the_palms():
    """A hand with the robot's own palm, and the same turned by 40 degrees about its fingers."""
    palm = Kinematics().site_poses(load_embodiment().home[None], "palm")
    local = np.tile([0.0, 0.0, 0.0, 1.0], (21, 1))
    local[[0, 5, 17], :3] = [0, 0.01, -0.09], [0.002, 0.02, 0], [0.002, -0.04, -0.01]
    turn = np.radians(40.0)
    turned = local.copy()
    turned[:, 0] = np.cos(turn) * local[:, 0] - np.sin(turn) * local[:, 1]
    turned[:, 1] = np.sin(turn) * local[:, 0] + np.cos(turn) * local[:, 1]
    for hand, angle in ((local, 0.0), (turned, 40.0)):
        keypoints = (hand @ palm[0].T)[None, :, :3]
        assert np.degrees(palm_angle_rad(keypoints, palm[:, :3, 0]))[0] == pytest.approx(
            angle, abs=2.0
        )


def test_bad_keypoints_are_named():
    with pytest.raises(RetargetingError, match=r"shape \(T, 21, 3\), got \(4, 20, 3\)"):
        target_points(np.zeros((4, 20, 3)), CONFIG)
    keypoints = np.zeros((4, 21, 3))
    keypoints[2, 8, 1] = np.nan
    with pytest.raises(RetargetingError, match="frame 2 are not finite"):
        target_points(keypoints, CONFIG)
    keypoints[2, 8, 1], keypoints[2, 20, 1] = 0.0, np.nan  # the little finger is not used
    assert target_points(keypoints, CONFIG).shape == (4, 8, 3)
