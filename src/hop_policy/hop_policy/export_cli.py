"""`hop export`: a policy's exported form, for deployment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hop_policy import checkpoint as ck
from hop_policy.export import export_policy


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Write the exported form of a policy into its checkpoint directory.

    It is an ONNX graph of the best weights, which ONNX Runtime runs on one core in less time than
    torch, without a compiler. It is tried against the eager form first, and sealed: with other
    weights or another configuration beside it, it is refused. The policy node takes it by default.
    """

    path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CHECKPOINT")]
    """The checkpoint directory"""


def main(argv: list[str]) -> int:
    """Export a policy for deployment: faster ticks, the same targets."""
    path = tyro.cli(Arguments, args=argv, prog="hop export").path
    seal = export_policy(path)
    size_mb = (path / ck.EXPORT).stat().st_size / 1e6
    print(
        f"{path / ck.EXPORT}: {size_mb:.1f} MB; within {seal.largest_difference:.1e} policy units "
        f"of the eager form"
    )
    return 0
