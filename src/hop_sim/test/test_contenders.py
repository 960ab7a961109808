"""Arms of checkpoints, and what tells one checkpoint from another."""

from pathlib import Path

import pytest

from hop_core.errors import CheckpointError, ConfigError
from hop_sim.contenders import checkpoint_identity, parse_contenders


def test_an_arm_is_named_before_its_checkpoint(tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("0", "1", "2", "x=y")]
    for run in runs:
        run.mkdir()
    found = parse_contenders([f"ours={runs[0]}", f"ours={runs[1]}", str(runs[2]), str(runs[3])])
    assert [(c.arm, c.name) for c in found] == [
        ("ours", "0"),
        ("ours", "1"),
        ("2", "2"),
        ("x=y", "x=y"),
    ]


def test_one_checkpoint_is_not_two(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="named 2 times"):
        parse_contenders([str(tmp_path), f"ours={tmp_path}/../{tmp_path.name}"])


def test_a_policy_is_not_called_as_a_control(tmp_path: Path) -> None:
    (tmp_path / "nearest").mkdir()
    with pytest.raises(ConfigError, match="'nearest' is the name of a control"):
        parse_contenders([str(tmp_path / "nearest")])


def test_a_shipped_checkpoint_is_known_by_its_name() -> None:
    (found,) = parse_contenders(["base_depth"])
    assert found.name == "base_depth"
    with pytest.raises(CheckpointError, match=r"neither a folder nor .* \(.*base_depth"):
        parse_contenders(["base_dept"])


def test_a_checkpoint_without_weights_says_so(tmp_path: Path) -> None:
    from hop_policy import checkpoint as ck
    from hop_policy.contract import PolicyContract
    from hop_policy.model import PolicyConfig

    with pytest.raises(CheckpointError, match="no policy checkpoint"):
        checkpoint_identity(tmp_path)
    config = ck.CheckpointConfig(contract=PolicyContract(), model=PolicyConfig())
    ck.save_config(tmp_path, config)
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint_identity(tmp_path)
