"""Which of the expert's grasps takes which object: objects that need different ones, or do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from hop_sim.agents import ExpertAgent
from hop_sim.processes import over_processes
from hop_sim.rollout import CellSpec, roll_out
from hop_sim.tasks.start import TaskStart
from hop_sim.tasks.task import Task


@dataclass(frozen=True)
class Trial:
    """One episode of the matrix.

    Attributes:
        grasp: name of the object whose grasp the expert uses.
        thing: name of the object in play.
        seed: of the episode.
    """

    grasp: str
    thing: str
    seed: int


def all_trials(names: Sequence[str], seeds: Sequence[int]) -> list[Trial]:
    """Return every grasp on every object, at each of the `seeds`."""
    return [Trial(grasp, thing, seed) for grasp in names for thing in names for seed in seeds]


def try_grasps(cell: CellSpec, trials: Sequence[Trial], workers: int) -> Iterator[bool]:
    """Yield whether the expert did the task, trial by trial, in lock-step."""
    yield from over_processes(partial(_runner, cell), trials, workers)


def _runner(cell: CellSpec) -> Callable[[Trial], bool]:
    twin = cell.build()
    tick_s = 1.0 / twin.contract.policy_hz

    def run(trial: Trial) -> bool:
        agent = ExpertAgent(tick_s, takes_as=trial.grasp)
        start = partial(start_with, trial.thing)
        return roll_out(twin, agent, trial.seed, draw_start=start).success

    return run


def start_with(name: str, task: Task, rng: np.random.Generator) -> TaskStart:
    """Draw a start state of evaluation with the object `name` in play."""
    return task.choose(task.sample(rng), name)
