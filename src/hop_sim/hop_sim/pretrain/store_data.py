"""Trajectory stores as the data of a training run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from hop_core.config import config_hash
from hop_core.errors import ConfigError, TrajectoryError
from hop_core.robot_config import CameraPose
from hop_policy.cameras import camera_poses
from hop_policy.contract import PolicyContract
from hop_policy.frame_store import SegmentSampler
from hop_policy.optimise import resolve_device
from hop_policy.train_config import TrainConfig
from hop_policy.train_data import TrainData, aim_sampler, aims_wanted, held_out_aims
from hop_sim.pretrain.depth_images import require_depth
from hop_sim.pretrain.grasp_aims import aim_rows
from hop_sim.pretrain.hidden_objects import Objects
from hop_sim.pretrain.room import require_room
from hop_sim.pretrain.selection import Part, kept_parts, split_parts, thinned
from hop_sim.pretrain.store_frames import frame_bytes, load_frames
from hop_sim.trajectories.depth.reading import StoredDepth
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
    objects: Objects = "shown",
) -> TrainData:
    """Returns the trajectories of `stores`, split by track group and cut as `config` says.

    Args:
        stores: where the trajectories are.
        kept: which of them to learn from.
        contract: what the policy sees.
        config: how the run goes.
        progress: called after each track is read.
        objects: whether the policy sees what the object does, or one of the controls.

    Raises:
        TrajectoryError: a store does not fit the contract or is damaged, there is too little, or
            too much for the memory.
        ConfigError: the configuration asks for what only demonstrations tell.
    """
    _require_told(config)
    for store in stores:
        require_fitting(store, contract)
    train, held_out = split_parts(kept_parts(stores, kept), config.val_fraction, config.seed)
    val = thinned(held_out, config.max_val_episodes, config.seed)
    numbers = iter(range(1, len(train) + len(val) + 1))

    def read(name: str) -> None:
        if progress is not None:
            progress(next(numbers), len(train) + len(val), name)

    device = resolve_device(config.device)
    require_room([*train, *val], frame_bytes(contract), device)
    frames = load_frames(train, contract, device, read, objects, config.seed)
    unseen = load_frames(val, contract, device, read, objects, config.seed)
    aims, val_aims = None, None
    if aims_wanted(config, contract):
        how = contract, config.aim_object_m, objects
        aims = aim_sampler(frames, aim_rows(train, frames, *how), config)
        val_aims = held_out_aims(unseen, aim_rows(val, unseen, *how), config)
    about = provenance(stores, kept, contract, objects)
    return TrainData(
        SegmentSampler(frames, config.cut, config.segments, config.seed),
        unseen,
        {**about, **_side("training", train), **_side("validation", val)},
        aims,
        val_aims,
        _cameras(stores) if contract.vision == "depth" else (),
    )


def _require_told(config: TrainConfig) -> None:
    """Passes if `config` asks for nothing of an aim that trajectories do not tell."""
    if config.aim_goal_m:
        raise ConfigError("aim_goal_m is for demonstrations (hop finetune): set it to 0")


def require_fitting(store: TrajectoryStore, contract: PolicyContract) -> None:
    """Passes if a policy of `contract` can learn from `store`.

    Raises:
        TrajectoryError: naming the field that differs.
    """
    header = store.header
    needed: dict[str, tuple[object, object]] = {
        "joint_names": (header.joint_names, contract.joint_names),
        "rate_hz": (header.rate_hz, contract.policy_hz),
    }
    if contract.vision == "point_cloud":
        needed["frame"] = header.frame, contract.point_cloud.frame
        needed["cloud points"] = CLOUD.shape[0], contract.point_cloud.points
    for name, (has, wanted) in needed.items():
        if has != wanted:
            raise TrajectoryError(
                f"{store.address}: {name}: is {has}, the policy's contract has {wanted}; make the "
                "trajectories for this contract, or change config/policy.yaml"
            )
    if contract.vision == "depth":
        require_depth(store, contract)


def provenance(
    stores: Sequence[TrajectoryStore], kept: Kept, contract: PolicyContract, objects: Objects
) -> dict[str, Any]:
    """Returns where the data came from; "fingerprint" identifies content, selection and vision."""
    about: dict[str, Any] = {
        "stores": [
            {"address": store.address, "content": store.content, "settings": store.header.settings}
            for store in stores
        ],
        "kept": kept,
        "objects": objects,
    }
    digest = hashlib.sha256(kept.encode())
    for store in stores:
        digest.update(store.content.encode())
    if objects != "shown":
        digest.update(objects.encode())
    if contract.vision == "depth":
        recipes = [StoredDepth(store).record.recipe for store in stores]
        about["depth"] = [recipe.model_dump(mode="json") for recipe in recipes]
        for recipe in recipes:
            digest.update(config_hash(recipe).encode())
    return {"fingerprint": digest.hexdigest()[:16], **about}


def _cameras(stores: Sequence[TrajectoryStore]) -> tuple[CameraPose, ...]:
    return camera_poses(StoredDepth(store).record.recipe.camera.T_base_cam for store in stores)


def _side(name: str, parts: Sequence[Part]) -> dict[str, Any]:
    return {
        f"{name}_tracks": [part.track.info.name for part in parts],
        f"{name}_groups": sorted({part.track.info.group for part in parts}),
        f"{name}_trajectories": sum(map(len, parts)),
    }
