"""Kinematics against independent figures and against themselves."""

import itertools
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import mujoco
import numpy as np
import pytest

from hop_core.embodiment import JOINT_NAMES, load_embodiment
from hop_core.errors import ModelError
from hop_core.kinematics import Kinematics
from hop_core.robot_model import TIP_SITES, robot_model, urdf

# Samples 0 (zeros, thumb at its lower limit) and 1 (a natural pose) of an independent forward
# kinematics, metres in base_link.
FACTS = json.loads((Path(__file__).parent / "fk_facts.json").read_text())


@pytest.mark.parametrize("sample", FACTS["samples"])
def test_forward_kinematics_agrees_with_independent_figures(sample: dict) -> None:
    pose = Kinematics().fk(np.array(sample["q"]))
    assert np.abs(pose["flange"][:3, 3] - sample["flange_pos"]).max() < 1e-6
    assert np.abs(pose["palm"][:3, 3] - sample["palm_pos"]).max() < 1e-6
    for site, finger in zip(TIP_SITES, ("ff", "mf", "rf", "th"), strict=True):
        assert np.abs(pose[site][:3, 3] - sample["tips"][finger]).max() < 1e-6


def test_zero_pose_puts_the_flange_where_the_manual_says() -> None:
    flange = Kinematics().site_pose(np.clip(np.zeros(23), load_embodiment().lower, None), "flange")
    assert flange[:3, 3] == pytest.approx([0.206, 0.0, 0.1205], abs=1e-6)
    assert flange[:3, 2] == pytest.approx([0, 0, -1], abs=1e-6)


@pytest.mark.parametrize("site", ["palm", "thumb_tip"])
def test_jacobian_is_the_derivative_of_the_pose(site: str) -> None:
    kinematics, q, step = Kinematics(), load_embodiment().home, 1e-6
    jacobian = kinematics.jacobian(q, site)
    for i in range(23):
        nudge = np.eye(23)[i] * step
        moved = (
            kinematics.site_pose(q + nudge, site)[:3, 3]
            - kinematics.site_pose(q - nudge, site)[:3, 3]
        )
        assert jacobian[:3, i] == pytest.approx(moved / (2 * step), abs=1e-6)


def test_batch_equals_single() -> None:
    embodiment, kinematics = load_embodiment(), Kinematics()
    q = np.random.default_rng(0).uniform(embodiment.lower, embodiment.upper, (5, 23))
    assert np.array_equal(kinematics.site_poses(q, "palm")[3], kinematics.site_pose(q[3], "palm"))


def test_clearance_sees_the_table_and_a_folded_arm() -> None:
    kinematics, home = Kinematics(), load_embodiment().home
    free = kinematics.clearance(home)
    assert free.self_m > 0.04
    assert free.lowest_m > 0.1
    folded = home.copy()
    folded[:7] = -1.46, -1.22, -3.14, 0.0, -5.38, 0.0, 2.72
    assert kinematics.clearance(folded).self_m < 0.0
    assert kinematics.clearance(folded).self_pair == ("base", "link5")
    bent = home.copy()
    bent[5] = 3.0
    assert kinematics.clearance(bent).self_m < 0.0
    assert kinematics.clearance(bent).self_pair == ("link5", "palm")
    low = home.copy()
    low[1] = 1.2
    assert kinematics.clearance(low).lowest_m < 0.0


def test_every_pair_of_links_that_can_meet_is_watched() -> None:
    """All pairs at random angles: none but those that always touch, and link5 with link7."""
    embodiment, kinematics = load_embodiment(), Kinematics()
    model, data = kinematics.model, mujoco.MjData(kinematics.model)
    chain = [*(f"link{i}" for i in range(1, 8)), "palm"]
    left_out = {*itertools.pairwise(("base", *chain)), ("base", "link2"), ("link2", "link4")}
    left_out |= {("link5", "link7")}
    pairs = set(itertools.combinations(("base", *chain), 2)) - left_out
    ids = {name: model.geom(name).id for name in ("base", *chain)}
    for q in np.random.default_rng(0).uniform(embodiment.lower, embodiment.upper, (300, 23)):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        nearest = min(
            mujoco.mj_geomDistance(model, data, ids[a], ids[b], 0.2, None) for a, b in pairs
        )
        if nearest < 0.02:
            assert kinematics.clearance(q).self_m == pytest.approx(nearest)


def test_wrong_input_is_named() -> None:
    with pytest.raises(ModelError, match="unknown site 'elbow'"):
        Kinematics().site_pose(load_embodiment().home, "elbow")
    with pytest.raises(ModelError, match=r"shape \(23,\), got \(16,\)"):
        Kinematics().site_pose(np.zeros(16), "palm")


def test_joint_order_of_the_model_is_the_embodiments() -> None:
    model = robot_model()
    assert tuple(model.joint(i).name for i in range(model.njnt)) == JOINT_NAMES
    assert tuple(model.actuator(i).name for i in range(model.nu)) == JOINT_NAMES


@pytest.mark.parametrize("seed", range(3))
def test_urdf_puts_every_frame_where_the_model_has_it(seed: int) -> None:
    root, embodiment = ElementTree.fromstring(urdf()), load_embodiment()
    q = np.random.default_rng(seed).uniform(embodiment.lower, embodiment.upper)
    angle = dict(zip(JOINT_NAMES, q, strict=True))
    poses, joints = {"base_link": np.eye(4)}, root.findall("joint")
    while joints:
        joint = joints.pop(0)
        parent, child = (joint.find(end).get("link") for end in ("parent", "child"))
        if parent not in poses:
            joints.append(joint)
            continue
        origin = joint.find("origin")
        xyz, rpy = (np.array(origin.get(key).split(), dtype=float) for key in ("xyz", "rpy"))
        pose = np.eye(4)
        pose[:3, :3] = turned(rpy[2], 2) @ turned(rpy[1], 1) @ turned(rpy[0], 0)
        pose[:3, 3] = xyz
        if joint.get("type") == "revolute":
            axis = np.array(joint.find("axis").get("xyz").split(), dtype=float)
            k = int(np.abs(axis).argmax())
            assert abs(axis[k]) == pytest.approx(1.0)
            pose[:3, :3] = pose[:3, :3] @ turned(axis[k] * angle[joint.get("name")], k)
            limit = joint.find("limit")
            i = JOINT_NAMES.index(joint.get("name"))
            assert float(limit.get("lower")) == pytest.approx(embodiment.lower[i], abs=1e-5)
            assert float(limit.get("upper")) == pytest.approx(embodiment.upper[i], abs=1e-5)
        poses[child] = poses[parent] @ pose
    sites = Kinematics().fk(q)
    assert set(sites) <= set(poses)
    for name, pose in sites.items():
        np.testing.assert_allclose(poses[name], pose, atol=1e-6, err_msg=name)


def turned(angle_rad: float, axis: int) -> np.ndarray:
    """A rotation about x, y or z."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[[i, j, i, j], [i, j, j, i]] = c, c, -s, s
    return rotation


def test_urdf_describes_the_same_chain() -> None:
    root = ElementTree.fromstring(urdf())
    joints = [
        joint.get("name") for joint in root.findall("joint") if joint.get("type") == "revolute"
    ]
    assert joints == list(JOINT_NAMES)
    assert {"base_link", "palm", "thumb_tip"} <= {link.get("name") for link in root.findall("link")}
