"""The postures of recorded demonstrations, at the ticks that a policy learns from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hop_policy.bag_reader import find_episodes
from hop_policy.contract import load_contract
from hop_policy.episode_info import DEMONSTRATORS
from hop_policy.observation import JointScaling
from hop_sim.trajectories.report.frame_pass import joint_histogram
from hop_sim.trajectories.report.histogram import Histogram


@dataclass(frozen=True)
class Demonstrations:
    """The postures of demonstrations.

    Attributes:
        episodes: how many were read.
        ticks: their observations.
        tasks: what they are of.
        q: of the 23 joint angles at the ticks [rad], order JOINT_NAMES.
    """

    episodes: int
    ticks: int
    tasks: tuple[str, ...]
    q: Histogram


def read_demonstrations(root: Path, task: str | None, config_dir: Path | None) -> Demonstrations:
    """Read the successful demonstrations under `root` as `hop finetune` does, one after the other.

    Args:
        root: folder of all episodes, ``<root>/<task>/<episode>``.
        task: only this task; None: all.
        config_dir: folder of policy.yaml; None: the installed one.

    Raises:
        BagError: there is none, or one lacks a topic or is damaged.
        ConfigError: policy.yaml is not usable, or a camera cannot give its view.
    """
    # It brings torch, which takes seconds to load and is not needed without demonstrations.
    from hop_policy.bag_dataset import labelled, load_decoded

    contract = load_contract(config_dir)
    joints, q = JointScaling(contract), joint_histogram()
    wanted = labelled(find_episodes(root, task), root, ("success",), DEMONSTRATORS)
    for bag in wanted:
        q.add(joints.unscale(load_decoded(bag, contract).proprio))
    tasks = tuple(sorted({bag.info.task for bag in wanted}))
    return Demonstrations(len(wanted), int(q.known[0]), tasks, q)
