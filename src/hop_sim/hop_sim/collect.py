"""Demonstrations of the scripted expert, recorded in lock-step as ordinary bags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from hop_core.config import config_hash, config_path, load_config
from hop_core.safety_config import load_safety
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.cell_statics import cell_statics
from hop_policy.episode_info import EpisodeInfo, run_hash
from hop_policy.recorder_config import RecorderConfig
from hop_sim.agents import ExpertAgent
from hop_sim.bag_tap import BagTap
from hop_sim.experts.disturbance import Disturbance
from hop_sim.experts.starts import demonstration_start
from hop_sim.lockstep import ARMING_ID
from hop_sim.processes import over_processes
from hop_sim.rollout import CellSpec, Outcome, roll_out
from hop_sim.seeds import demonstration_seeds


@dataclass(frozen=True)
class Collection:
    """What to record, and where.

    Attributes:
        cell: the cell.
        root: folder of all episodes.
        keep_failures: keep failed attempts too, labelled so.
        steady: let the arm obey, where it would stray as the task's `demo_disturbance` says.
    """

    cell: CellSpec
    root: Path
    keep_failures: bool = False
    steady: bool = False


def episode_name(seed: int) -> str:
    """Return the name of the episode of `seed`: a second run finds what the first one recorded."""
    return f"expert_{seed}"


def collect(what: Collection, count: int, first: int, workers: int) -> Iterator[Outcome]:
    """Record demonstrations `first` to `first + count` of the task; yield how each ended.

    Episodes that are there already are passed over, so that an interrupted run can be repeated.
    """
    seeds = missing_seeds(what, count, first)
    yield from over_processes(partial(_recorder, what), seeds, workers)


def missing_seeds(what: Collection, count: int, first: int) -> list[int]:
    """Return the seeds of demonstrations `first` to `first + count` that are not recorded yet."""
    folder = what.root / what.cell.task
    seeds = demonstration_seeds(count, first)
    return [seed for seed in seeds if not (folder / episode_name(seed)).exists()]


def _recorder(what: Collection) -> Callable[[int], Outcome]:
    cell = what.cell
    twin = cell.build()
    robot = cell.load_robot()
    tick_s = 1.0 / twin.contract.policy_hz
    strays = None if what.steady else Disturbance(twin.task.config.demo_disturbance, tick_s)
    agent = ExpertAgent(tick_s, disturbance=strays)
    config = load_config(config_path("recorder.yaml", cell.config_dir), RecorderConfig)
    safety = load_safety(cell.config_dir)
    extra = {
        "mode": "lock-step",
        "task_hash": config_hash(twin.task.config),
        "disturbed": str(not what.steady).lower(),
        **{f"camera_{key}": str(value) for key, value in asdict(cell.realism).items()},
    }

    def record(seed: int) -> Outcome:
        info = EpisodeInfo(
            task=cell.task,
            source="expert",
            config_hash=run_hash(robot, twin.task.config, safety, config),
            contract_hash=twin.contract.hash,
            seed=seed,
            extra=extra,
        )
        name = episode_name(seed)
        with EpisodeWriter(
            what.root,
            cell.task,
            name,
            info,
            config=config,
            statics=cell_statics(robot),
            repeatable=True,
        ) as writer:
            tap = BagTap(writer, robot.camera, ARMING_ID)
            outcome = roll_out(twin, agent, seed, tap, demonstration_start)
            if outcome.success or what.keep_failures:
                writer.finish("success" if outcome.success else "failure", outcome.reason)
            else:
                writer.drop()
        return outcome

    return record
