"""Trajectory stores as the data of a training run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from hop_core.errors import TrajectoryError
from hop_policy.contract import PolicyContract
from hop_policy.frame_store import SegmentSampler
from hop_policy.optimise import resolve_device
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData
from hop_sim.pretrain.selection import Part, kept_parts, split_parts, thinned
from hop_sim.pretrain.store_frames import load_frames
from hop_sim.trajectories.layout import CLOUD
from hop_sim.trajectories.store import TrajectoryStore
from hop_sim.trajectories.trajectory import Kept

Progress = Callable[[int, int, str], None]
"""Called as (tracks done, tracks in all, name of the one just read)."""


def data_of_stores(
    stores: Sequence[TrajectoryStore],
    kept: Kept,
    contract: PolicyContract,
    config: TrainConfig,
    progress: Progress | None = None,
) -> TrainData:
    """Returns the trajectories of `stores`, split by track group and cut as `config` says.

    Args:
        stores: where the trajectories are.
        kept: which of them to learn from.
        contract: what the policy sees.
        config: how the run goes.
        progress: called after each track is read.

    Raises:
        TrajectoryError: a store does not fit the contract or is damaged, or there is too little.
    """
    for store in stores:
        require_fitting(store, contract)
    train, held_out = split_parts(kept_parts(stores, kept), config.val_fraction, config.seed)
    val = thinned(held_out, config.max_val_episodes, config.seed)
    numbers = iter(range(1, len(train) + len(val) + 1))

    def read(name: str) -> None:
        if progress is not None:
            progress(next(numbers), len(train) + len(val), name)

    device = resolve_device(config.device)
    frames = load_frames(train, contract, device, read)
    return TrainData(
        SegmentSampler(frames, config.cut, config.segments, config.seed),
        load_frames(val, contract, device, read),
        {**provenance(stores, kept), **_side("training", train), **_side("validation", val)},
    )


def require_fitting(store: TrajectoryStore, contract: PolicyContract) -> None:
    """Passes if a policy of `contract` can learn from `store`.

    Raises:
        TrajectoryError: naming the field that differs.
    """
    header = store.header
    needed: dict[str, tuple[object, object]] = {
        "joint_names": (header.joint_names, contract.joint_names),
        "rate_hz": (header.rate_hz, contract.policy_hz),
        "frame": (header.frame, contract.point_cloud.frame),
        "cloud points": (CLOUD.shape[0], contract.point_cloud.points),
    }
    for name, (has, wanted) in needed.items():
        if has != wanted:
            raise TrajectoryError(
                f"{store.address}: {name}: is {has}, the policy's contract has {wanted}; make the "
                "trajectories for this contract, or change config/policy.yaml"
            )


def provenance(stores: Sequence[TrajectoryStore], kept: Kept) -> dict[str, Any]:
    """Returns where the data came from; "fingerprint" identifies content and selection."""
    digest = hashlib.sha256(kept.encode())
    for store in stores:
        digest.update(store.content.encode())
    return {
        "fingerprint": digest.hexdigest()[:16],
        "stores": [
            {"address": store.address, "content": store.content, "settings": store.header.settings}
            for store in stores
        ],
        "kept": kept,
    }


def _side(name: str, parts: Sequence[Part]) -> dict[str, Any]:
    return {
        f"{name}_tracks": [part.track.info.name for part in parts],
        f"{name}_groups": sorted({part.track.info.group for part in parts}),
        f"{name}_trajectories": sum(map(len, parts)),
    }
