"""`hop checkpoints`: take over checkpoints of the HOP release, and hand ours out as such."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hop_core.cli import run_verb
from hop_core.release_frame import load_release_frame
from hop_policy.contract import load_contract
from hop_policy.release.transfer import export_checkpoint, import_checkpoint

VERB_GROUP = "hop.checkpoints_verbs"
_Out = Annotated[Path, tyro.conf.arg(aliases=["-o"])]


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Make a checkpoint directory of a policy of the HOP release.

    FILE is a checkpoint of its pretraining (.pt) or of its PPO (.pth), of which the actor is taken.
    Only tensors are read from it. It must hold the 73 entries of the point-cloud policy.
    """

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """The release's file"""
    out: _Out
    """Directory of the checkpoint."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Write a point-cloud policy of the paper's size as a file that the HOP release reads."""

    path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CHECKPOINT")]
    """The checkpoint directory"""
    out: _Out
    """The file."""
    config_dir: Path | None = None
    """Folder of the configurations; default: the installed one."""


def main(argv: list[str]) -> int:
    """Take over checkpoints of the HOP release, and hand ours out as such."""
    return run_verb(VERB_GROUP, "hop checkpoints", argv)


def import_main(argv: list[str]) -> int:
    """Make a checkpoint directory of a policy of the HOP release."""
    options = tyro.cli(ImportOptions, args=argv, prog="hop checkpoints import")
    contract = load_contract(options.config_dir, vision="point_cloud")
    found = import_checkpoint(
        options.file, options.out, contract, load_release_frame(options.config_dir)
    )
    print(f"{options.out}: {len(found.entries)} entries of {options.file}")
    if found.left_out:
        print(f"left out, being no part of the policy: {', '.join(found.left_out)}")
    return 0


def export_main(argv: list[str]) -> int:
    """Write a point-cloud policy as a file of the HOP release."""
    options = tyro.cli(ExportOptions, args=argv, prog="hop checkpoints export")
    remarks = export_checkpoint(options.path, options.out, load_release_frame(options.config_dir))
    print(f"{options.out}: {options.path} as a checkpoint of the HOP release")
    for remark in remarks:
        print(remark)
    return 0
