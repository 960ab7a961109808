"""Facts about the policy contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from hop_core.embodiment import JOINT_NAMES
from hop_core.errors import CheckpointError, ConfigError
from hop_policy.contract import DepthContract, PolicyContract, StreamContract, load_contract


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
