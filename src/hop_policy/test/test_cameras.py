"""Where cameras stood: what a checkpoint tells of it, and who is refused for it."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from hop_core.errors import CheckpointError
from hop_core.robot_config import CameraPose, load_robot
from hop_policy import checkpoint as ck
from hop_policy.cameras import camera_poses, require_camera
from hop_policy.contract import PolicyContract
from hop_policy.model import PolicyConfig, PolicyModel

NOMINAL = load_robot("twin").camera


def moved(shift_m: float = 0.0, turn_deg: float = 0.0) -> CameraPose:
    """The twin's camera, shifted along x of base_link and turned about its own optical axis."""
    rotation, turn = np.empty(9), np.empty(4)
    mujoco.mju_axisAngle2Quat(turn, np.array([0.0, 0.0, 1.0]), np.radians(turn_deg))
    mujoco.mju_quat2Mat(rotation, turn)
    T_base_cam = NOMINAL.T_base_cam
    T_base_cam[0, 3] += shift_m
    T_base_cam[:3, :3] @= rotation.reshape(3, 3)
    (pose,) = camera_poses([T_base_cam])
    return pose


def test_a_pose_is_written_as_in_a_robots_configuration() -> None:
    same = moved()
    assert np.allclose(same.T_base_cam, NOMINAL.T_base_cam, atol=1e-5)
    assert same.position_m == NOMINAL.position_m
    distance, angle = moved(0.03, 10.0).apart(same)
    assert distance == pytest.approx(0.03, abs=1e-5)
    assert np.degrees(angle) == pytest.approx(10.0, abs=1e-3)


def test_each_place_is_kept_once() -> None:
    places = [moved(shift, turn).T_base_cam for shift, turn in ((0, 0), (0.001, 0.1), (0.2, 0))]
    assert camera_poses(places) == (moved(), moved(0.2))
    assert camera_poses([]) == ()


@pytest.mark.parametrize(("shift_m", "turn_deg"), [(0.0, 0.0), (0.069, 8.9), (0.4, 0.0)])
def test_a_camera_where_one_stood_passes(shift_m: float, turn_deg: float) -> None:
    require_camera((moved(), moved(0.4)), moved(shift_m, turn_deg), "runs/a")
    require_camera((), moved(shift_m, turn_deg), "an older one")


@pytest.mark.parametrize(
    ("shift_m", "turn_deg", "told"),
    [(0.1, 0.0, r"10\.0 cm and 0\.0 deg away"), (0.0, 12.0, r"0\.0 cm and 12\.0 deg away")],
)
def test_a_camera_elsewhere_is_told_how_far_it_is_from_the_nearest(
    shift_m: float, turn_deg: float, told: str
) -> None:
    wanted = rf"runs/a learnt from a camera at \(0.5, -0.62, 0.42\) m .*{told}"
    with pytest.raises(CheckpointError, match=wanted):
        require_camera((moved(0.9), moved()), moved(shift_m, turn_deg), "runs/a")


@pytest.mark.parametrize("vision", ["depth", "point_cloud"])
def test_a_moved_camera_refuses_a_policy_of_depth_but_not_one_of_clouds(
    tmp_path: Path, vision: str
) -> None:
    contract = PolicyContract.model_validate({"vision": vision})
    network = PolicyConfig(layers=1, width=32, heads=2, context=2)
    config = ck.CheckpointConfig(contract=contract, model=network, cameras=(moved(),))
    ck.save_config(tmp_path, config)
    ck.save_weights(tmp_path, PolicyModel(network, contract).state_dict())
    ck.load_checkpoint(tmp_path, contract, camera=moved())
    if vision == "depth":
        with pytest.raises(CheckpointError, match="learnt from a camera at"):
            ck.load_checkpoint(tmp_path, contract, camera=moved(0.3))
    else:
        ck.load_checkpoint(tmp_path, contract, camera=moved(0.3))
