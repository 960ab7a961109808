"""Demonstrations of the scripted expert, recorded in lock-step as ordinary bags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from hop_core.config import config_hash, config_path, load_config
from hop_core.errors import BagError
from hop_core.safety_config import load_safety
from hop_policy.bag_reader import open_episode
from hop_policy.bag_writer import EpisodeWriter
from hop_policy.cell_statics import cell_statics
from hop_policy.episode_info import EpisodeInfo, run_hash
from hop_policy.recorder_config import RecorderConfig
from hop_sim.agents import ExpertAgent
from hop_sim.bag_tap import BagTap
from hop_sim.disturbance import Disturbance
from hop_sim.experts.expert import ACTS
from hop_sim.experts.starts import demonstration_start
from hop_sim.lockstep import ARMING_ID, MOVES
from hop_sim.processes import over_processes
from hop_sim.rollout import CellSpec, Outcome, roll_out
from hop_sim.seeds import demonstration_number, demonstration_seeds
from hop_sim.tasks.registry import load_task


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

    Raises:
        BagError: one of them was recorded in another way than this run would, or is damaged.
    """
    seeds = seeds_to_record(what, count, first, _facts(_provenance(what)))
    yield from over_processes(partial(_recorder, what), seeds, workers)


def seeds_to_record(
    what: Collection, count: int, first: int, facts: Mapping[str, str]
) -> list[int]:
    """Return the seeds of `missing_seeds`, where the other episodes say the same `facts`.

    Raises:
        BagError: one of them was recorded in another way than this run would, or is damaged.
    """
    seeds = missing_seeds(what, count, first)
    for seed in sorted(set(demonstration_seeds(count, first)) - set(seeds)):
        path = what.root / what.cell.task / episode_name(seed)
        found = _facts(open_episode(path).info)
        for key, value in facts.items():
            if found.get(key, "") != value:
                raise BagError(
                    f"{path} was recorded with {key} '{found.get(key, '')}', this run has "
                    f"'{value}': choose another folder (-o), lest both are learnt from as one"
                )
    return seeds


def missing_seeds(what: Collection, count: int, first: int) -> list[int]:
    """Return the seeds of demonstrations `first` to `first + count` that are not recorded yet."""
    folder = what.root / what.cell.task
    seeds = demonstration_seeds(count, first)
    return [seed for seed in seeds if not (folder / episode_name(seed)).exists()]


def _recorder_config(cell: CellSpec) -> RecorderConfig:
    return load_config(config_path("recorder.yaml", cell.config_dir), RecorderConfig)


def _provenance(what: Collection) -> EpisodeInfo:
    """What every episode of the collection says about itself, but for its seed."""
    cell, robot = what.cell, what.cell.load_robot()
    task = load_task(cell.task, robot.table, cell.config_dir).config
    safety, recorder = load_safety(cell.config_dir), _recorder_config(cell)
    return EpisodeInfo(
        task=cell.task,
        source="expert",
        config_hash=run_hash(robot, task, safety, recorder),
        contract_hash=cell.load_contract().hash,
        extra={
            "mode": "lock-step",
            "moves": str(MOVES),
            "expert": str(ACTS),
            "disturbed": str(not what.steady).lower(),
            **{f"camera_{key}": str(value) for key, value in asdict(cell.realism).items()},
            "task_hash": config_hash(task),
        },
    )


def live_facts(what: Collection) -> dict[str, str]:
    """Return what live episodes of the collection say about themselves."""
    lock_step = {"moves", "disturbed"}  # start at home, and an arm that obeys
    facts = {k: v for k, v in _provenance(what).extra.items() if k not in lock_step}
    return {**facts, "mode": "live"}


def _facts(info: EpisodeInfo) -> dict[str, str]:
    hashes = {"config_hash": info.config_hash, "contract_hash": info.contract_hash}
    return {**info.extra, **hashes}


def _recorder(what: Collection) -> Callable[[int], Outcome]:
    cell = what.cell
    twin = cell.build()
    robot = cell.load_robot()
    tick_s = 1.0 / twin.contract.policy_hz
    strays = None if what.steady else Disturbance(twin.task.config.demo_disturbance, tick_s)
    agent = ExpertAgent(tick_s, disturbance=strays)
    config, provenance = _recorder_config(cell), _provenance(what)

    def record(seed: int) -> Outcome:
        info = replace(provenance, seed=seed)
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
            draw_start = partial(demonstration_start, number=demonstration_number(seed))
            outcome = roll_out(twin, agent, seed, tap, draw_start)
            if outcome.success or what.keep_failures:
                writer.finish("success" if outcome.success else "failure", outcome.reason)
            else:
                writer.drop()
        return outcome

    return record
