"""`hop pretrain`: trains the base policy on stores of robot trajectories."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from hop_core.cli import run_command
from hop_core.errors import CheckpointError, TrajectoryError
from hop_policy.checkpoint import PROVENANCE, read_json
from hop_policy.contract import VisionKind
from hop_policy.ranks import Ranks, torchrun_ranks
from hop_policy.train_options import TrainOptions, learn, resolve
from hop_policy.train_progress import TrainProgress
from hop_sim.pretrain.hidden_objects import Objects
from hop_sim.pretrain.store_data import data_of_stores
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.trajectory import Kept

CONFIG = "train_pretrain.yaml"
_TOLD_EVERY = 25


@dataclass(frozen=True, kw_only=True)
class Arguments(TrainOptions):
    """Train the base policy on robot trajectories, by the trainer of hop finetune.

    OUT becomes a checkpoint directory, which hop finetune takes by --init. A run that was stopped
    continues with --resume. With torchrun, several processes share each batch:
    torchrun --standalone --nproc-per-node 4 -m hop_sim.pretrain_cli STORE -o OUT --max-steps N.
    """

    stores: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="STORE...")]
    """Stores of trajectories: folders, or URLs"""
    config: Path | None = None
    """Training configuration, a file or the name of an installed one; default: train_pretrain.yaml
    (small; train_paper.yaml is the paper's)."""
    vision: VisionKind | None = None
    """What the policy sees; default: point_cloud. Depth is first rendered beside the store: hop
    trajectories render-depth."""
    kept: Kept = "contact"
    """Trajectories to learn from: keypoint error below 3 cm in 80 % of the contact frames, or in
    any frame (the paper's words)."""
    objects: Objects = "shown"
    """What is seen of the object; two controls: nothing (masked, a prior of hand motions alone), or
    the object of a trajectory of another track group (shuffled)."""


def main(argv: list[str]) -> int:
    """Train the base policy on stores of robot trajectories; returns the exit code."""
    args = tyro.cli(Arguments, prog="hop pretrain", args=argv)
    with torchrun_ranks() as ranks:
        return _run(args, argv, ranks)


def _run(args: Arguments, argv: list[str], ranks: Ranks) -> int:
    if not args.stores:
        raise TrajectoryError("name at least one store to learn from")
    contract, config = resolve(args, CONFIG, "point_cloud")
    progress = TrainProgress(ranks.console())

    def loaded(done: int, total: int, name: str) -> None:
        if done == total or done % _TOLD_EVERY == 0:
            progress.line(f"read {done} of {total} tracks ({name})")

    stores = [TrajectoryStore.open(store) for store in args.stores]
    if args.resume:
        _require_own_stores(args.out, stores)
    data = data_of_stores(stores, args.kept, contract, config, loaded, args.objects)
    command = ranks.command("pretrain", "hop_sim.pretrain_cli", argv)
    told = learn(args, contract, config, data, command, ranks, progress)
    if ranks.first:
        print(told)
    return 0


def _require_own_stores(out: Path, stores: list[TrajectoryStore]) -> None:
    """Pass if the run in `out` was begun with `stores`: what others lack is not worth making.

    Raises:
        CheckpointError: it was begun with others.
    """
    begun = read_json(out / PROVENANCE).get("stores", [])
    if [store.content for store in stores] != [each["content"] for each in begun]:
        addresses = " ".join(each["address"] for each in begun) or "no store"
        named = " ".join(store.address for store in stores)
        raise CheckpointError(
            f"{out} was begun with {addresses}, not with {named}, or that has changed since; name "
            "what it was begun with, or train into another output directory"
        )


if __name__ == "__main__":
    sys.exit(run_command(main, "hop pretrain", sys.argv[1:]))  # torchrun -m
