"""Arms of checkpoints, and what tells one checkpoint from another."""

from pathlib import Path

import pytest

from hop_core.errors import CheckpointError, ConfigError
from hop_sim.contenders import checkpoint_identity, parse_contenders


def test_an_arm_is_named_before_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "x=y").mkdir()
    found = parse_contenders(["ours=/runs/0", "ours=/runs/1", "/runs/2", str(tmp_path / "x=y")])
    assert [(c.arm, c.name) for c in found] == [
        ("ours", "0"),
        ("ours", "1"),
        ("2", "2"),
        ("x=y", "x=y"),
    ]


def test_one_checkpoint_is_not_two(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="named 2 times"):
        parse_contenders(["/runs/0", "ours=/runs/../runs/0"])


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
