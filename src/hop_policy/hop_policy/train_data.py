"""What a training run learns from: batches by step, held-out episodes, and where they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from hop_core import topics
from hop_core.errors import ConfigError
from hop_core.robot_config import CameraPose
from hop_policy.aim import Aiming, AimSampler, grasp_tick, opening_tick
from hop_policy.cameras import camera_poses
from hop_policy.cell_statics import TABLE_FRAME
from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode, drawn, split_episodes, store_episodes
from hop_policy.frame_store import FrameStore, SegmentSampler
from hop_policy.optimise import resolve_device
from hop_policy.segments import WHOLE, SegmentBatch, Share
from hop_policy.train_config import TrainConfig


class BatchSource(Protocol):
    """Where training batches come from: any data set that can draw the batch of a step."""

    def batch(self, step: int, share: Share = WHOLE) -> SegmentBatch:
        """Returns the batch of `step`, or a share of it; the same at every call."""

    def statistics(self, floor: Tensor) -> dict[str, Tensor]:
        """Returns the whitening statistics of the training set; see `FrameStore.statistics`."""


@dataclass(frozen=True)
class TrainData:
    """What a run learns from and is judged by.

    Attributes:
        train: source of batches, cut as the run's configuration says.
        val: held-out episodes, at most as many as the configuration allows.
        provenance: where the data came from, kept beside the weights. Its "fingerprint" must be the
            same for a run to be resumed.
        aims: frames that teach where hands go next; None where the run does not teach it.
        val_aims: those of the held-out episodes; None where none has one, or it is not taught.
        cameras: where they stood; empty where that is not known, or there are no images.
    """

    train: BatchSource
    val: FrameStore
    provenance: Mapping[str, Any]
    aims: AimSampler | None = None
    val_aims: AimSampler | None = None
    cameras: tuple[CameraPose, ...] = ()


def data_of_episodes(
    episodes: Sequence[Episode], contract: PolicyContract, config: TrainConfig
) -> TrainData:
    """Returns `episodes` split, stored and cut as `config` says.

    Args:
        episodes: demonstrations.
        contract: what the policy sees.
        config: how the run goes.

    Raises:
        BagError: there are fewer than two groups of episodes, or one breaks the contract.
        ConfigError: an aim is asked for, and an episode does not tell where its camera and table
            stood, or no hand takes hold; all episodes are shorter than a history; or there is no
            such device.
    """
    episodes = sorted(episodes, key=lambda e: e.name)
    train, val = split_episodes(episodes, config.val_fraction, config.seed)
    val = [val[i] for i in drawn(len(val), config.max_val_episodes, config.seed)]
    device = resolve_device(config.device)
    store = store_episodes(train, contract, device)
    provenance = {
        "fingerprint": fingerprint(episodes),
        "episodes": len(episodes),
        "ticks": sum(len(e) for e in episodes),
        "validation_episodes": [e.name for e in val],
        "training_episodes": [e.name for e in train],
        "scene_seeds": sorted({e.seed for e in (*train, *val) if e.seed is not None}),
        "refused_ticks": sum(e.refused_ticks for e in episodes),
        "broken_rates": sorted({e.group or e.name for e in episodes if not e.rates_ok}),
    }
    sampler = SegmentSampler(store, config.cut, config.segments, config.seed)
    held_out, aims, val_aims = store_episodes(val, contract, device), None, None
    if aims_wanted(config, contract):
        aims = aim_sampler(store, _aim_rows(train, contract, config), config)
        val_aims = held_out_aims(held_out, _aim_rows(val, contract, config), config)
    places = [e.cell.T_base_cam for e in train if e.cell is not None]
    cameras = camera_poses(places) if contract.vision == "depth" else ()
    return TrainData(sampler, held_out, provenance, aims, val_aims, cameras)


def _aim_rows(
    episodes: Sequence[Episode], contract: PolicyContract, config: TrainConfig
) -> np.ndarray:
    """Returns what all ticks of `episodes` teach (N, `aim.ROW`), in order.

    Of a part of a recording that ends while something is held, nobody knows the goal.
    """
    aiming, rows = Aiming(contract, config.aim_object_m, config.aim_goal_m), []
    for episode in episodes:
        if episode.cell is None:
            raise ConfigError(
                f"model.aim: episode {episode.name} does not tell where camera and table stood "
                f"({topics.TF_STATIC} from {topics.BASE_FRAME} to {topics.CAMERA_FRAME} and "
                f"{TABLE_FRAME}); set aim_frames to 0, or leave the episode out"
            )
        grasp = grasp_tick(episode.action)
        cut_off = episode.goes_on and opening_tick(episode.action, grasp) is None
        known = None if cut_off else episode.action
        rows.append(aiming.rows(episode.proprio, grasp, episode.cell, known))
    return np.concatenate(rows)


def aims_wanted(config: TrainConfig, contract: PolicyContract) -> bool:
    """Returns whether the run is to teach the network where hands go next."""
    return config.model.aim and contract.vision == "depth" and config.aim_frames > 0


def aim_sampler(store: FrameStore, rows: np.ndarray, config: TrainConfig) -> AimSampler:
    """Returns the frames of `store` that teach an aim; `rows` (N, `aim.ROW`) are of `Aiming`.

    Raises:
        ConfigError: there is none.
    """
    sampler = AimSampler(store, rows, config.aim_frames, config.seed)
    if not len(sampler):
        raise ConfigError(
            "model.aim: in none of the training episodes does a hand take hold of something; set "
            "aim_frames to 0, or learn from others"
        )
    return sampler


def held_out_aims(store: FrameStore, rows: np.ndarray, config: TrainConfig) -> AimSampler | None:
    """Returns the frames of the held-out `store` that have an aim, as `aim_sampler`; or None."""
    sampler = AimSampler(store, rows, config.aim_frames, config.seed)
    return sampler if len(sampler) else None


def fingerprint(episodes: Sequence[Episode]) -> str:
    """Returns 16 hex digits that identify all that is learnt from `episodes`, in their order."""
    digest = hashlib.sha256()
    for episode in episodes:
        digest.update(episode.name.encode())
        cell = () if episode.cell is None else (episode.cell.T_base_cam, episode.cell.T_base_table)
        for array in (episode.proprio, episode.vision, episode.action, *cell):
            digest.update(np.ascontiguousarray(array, np.float32).tobytes())
    return digest.hexdigest()[:16]
