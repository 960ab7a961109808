"""Facts about the policy contract."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hop_core.embodiment import JOINT_NAMES
from hop_core.errors import CheckpointError, ConfigError
from hop_policy import checkpoint as ck
from hop_policy.contract import DepthContract, PolicyContract, StreamContract, load_contract
from hop_policy.model import PolicyConfig


def test_the_shipped_contract_is_the_default() -> None:
    contract = load_contract()
    assert contract == PolicyContract()
    assert contract.joint_names == JOINT_NAMES
    assert (contract.policy_hz, contract.tick_ns, contract.label_offset_ns) == (
        20,
        50_000_000,
        50_000_000,
    )
    assert load_contract(vision="point_cloud").vision_shape == (100, 3)


def test_a_difference_is_named_with_both_values() -> None:
    mine = PolicyContract()
    mine.require_equal(PolicyContract())
    with pytest.raises(
        CheckpointError, match=r"/ckpt .* depth\.fov_deg is 60\.0 there and 58\.5 here"
    ):
        mine.require_equal(PolicyContract(depth=DepthContract(fov_deg=60.0)), "/ckpt")
    with pytest.raises(CheckpointError, match=r"depth_stream\.lag_ms is 50"):
        mine.require_equal(PolicyContract(depth_stream=StreamContract(lag_ms=50, max_age_ms=100)))


def test_hash_follows_the_values() -> None:
    assert PolicyContract().hash == PolicyContract().hash
    assert PolicyContract().hash != PolicyContract(label_offset_ms=0).hash


def test_json_brings_back_an_equal_contract() -> None:
    contract = PolicyContract()
    assert PolicyContract.model_validate_json(contract.model_dump_json()) == contract


def test_bad_files_name_the_key(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("vission: depth\n")
    with pytest.raises(ConfigError, match="vission"):
        load_contract(tmp_path)
    (tmp_path / "policy.yaml").write_text("depth_stream: {lag_ms: 100, max_age_ms: 50}\n")
    with pytest.raises(ConfigError, match="must exceed lag_ms"):
        load_contract(tmp_path)


def changed(path: str, value: object) -> PolicyContract:
    """The default contract with another value of the field `path`."""
    values = PolicyContract().model_dump()
    section = values
    *parents, last = path.split(".")
    for name in parents:
        section = section[name]
    section[last] = value
    return PolicyContract.model_validate(values)


LOWER, UPPER = PolicyContract().policy_lower, PolicyContract().policy_upper
OTHER_VALUES = {
    "policy_lower": ((-3.0, *LOWER[1:]), r"policy_lower\[0\] is -3.0 there and -6.28\d+ here"),
    "policy_upper": ((*UPPER[:-1], 2.0), r"policy_upper\[22\] is 2.0 there and 1.719 here"),
    "policy_hz": (10.0, r"policy_hz is 10.0 there and 20.0 here"),
    "vision": ("point_cloud", r"vision is point_cloud there and depth here"),
    "depth.size_px": (64, r"depth\.size_px is 64 there and 60 here"),
    "depth.fov_deg": (90.0, r"depth\.fov_deg is 90.0 there and 58.5 here"),
    "depth.near_m": (0.1, r"depth\.near_m is 0.1 there and 0.05 here"),
    "depth.far_m": (2.0, r"depth\.far_m is 2.0 there and 1.0 here"),
    "point_cloud.points": (64, r"point_cloud\.points is 64 there and 100 here"),
    "depth_stream.lag_ms": (60, r"depth_stream\.lag_ms is 60 there and 30 here"),
    "depth_stream.max_age_ms": (200, r"depth_stream\.max_age_ms is 200 there and 100 here"),
    "joint_stream.lag_ms": (20, r"joint_stream\.lag_ms is 20 there and 10 here"),
    "joint_stream.max_age_ms": (80, r"joint_stream\.max_age_ms is 80 there and 50 here"),
    "label_offset_ms": (0, r"label_offset_ms is 0 there and 50 here"),
}
ONE_VALUE_ONLY = {"point_cloud.frame", "joint_names"}


@pytest.mark.parametrize("field", OTHER_VALUES)
def test_a_checkpoint_that_differs_in_any_field_is_refused_by_it(
    tmp_path: Path, field: str
) -> None:
    """Joints, scaling, rates, camera's crop and depth range, clouds, lags: as a node loads them."""
    value, message = OTHER_VALUES[field]
    contract = changed(field, value)
    ck.save_config(tmp_path, ck.CheckpointConfig(contract=contract, model=PolicyConfig()))
    with pytest.raises(CheckpointError, match=message):
        ck.load_checkpoint(tmp_path, PolicyContract())


def test_clouds_in_another_frame_are_refused(tmp_path: Path) -> None:
    ck.save_config(tmp_path, ck.CheckpointConfig(contract=PolicyContract(), model=PolicyConfig()))
    file = tmp_path / ck.CONFIG
    file.write_text(file.read_text().replace("frame: base_link", "frame: env"))
    with pytest.raises(CheckpointError, match=r"point_cloud\.frame: .*'base_link'.*'env'"):
        ck.load_checkpoint(tmp_path, PolicyContract())


def test_joints_in_another_order_are_refused(tmp_path: Path) -> None:
    ck.save_config(tmp_path, ck.CheckpointConfig(contract=PolicyContract(), model=PolicyConfig()))
    values = yaml.safe_load((tmp_path / ck.CONFIG).read_text())
    names = values["contract"]["joint_names"]
    names[11:19] = names[15:19] + names[11:15]  # ring before middle: the release's order
    (tmp_path / ck.CONFIG).write_text(yaml.safe_dump(values))
    with pytest.raises(CheckpointError, match=r"joint_names must be joint1, .*, in this order"):
        ck.load_checkpoint(tmp_path, PolicyContract())


def test_no_field_of_the_contract_is_without_a_test() -> None:
    def leaves(values: dict[str, object], prefix: str = "") -> set[str]:
        return {
            leaf
            for name, value in values.items()
            for leaf in (
                leaves(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name}
            )
        }

    assert leaves(PolicyContract().model_dump()) == set(OTHER_VALUES) | ONE_VALUE_ONLY
