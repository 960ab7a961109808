"""Evaluation in lock-step: a policy and the controls that must do worse, on paired states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch

from hop_core.errors import ConfigError
from hop_policy.bag_dataset import load_episodes
from hop_policy.checkpoint_files import WEIGHTS
from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode
from hop_policy.inference import Policy
from hop_sim.agents import (
    Agent,
    BlindAgent,
    ExpertAgent,
    NearestDemonstrationAgent,
    PolicyAgent,
    ZeroAgent,
)
from hop_sim.lockstep import LockStep
from hop_sim.observe import LockStepObserver
from hop_sim.processes import over_processes
from hop_sim.rollout import CellSpec, Outcome, roll_out
from hop_sim.seeds import demonstration_seeds

ControlName = Literal["blind", "nearest", "zero", "expert"]
AgentName = Literal["policy", ControlName]
CONTROLS: tuple[ControlName, ...] = get_args(ControlName)
BLIND_DONORS = 8
"""Episodes whose vision a blind policy is shown; their start states are no evaluation's."""
_DONOR_FIRST = 900_000


@dataclass(frozen=True)
class AgentSpec:
    """Which agent is rolled out; small enough to send to another process.

    Attributes:
        name: kind of agent.
        checkpoint: for the policy and the blind one.
        weights: which of its files of weights.
        demos: folder of demonstrations, for replay of the nearest.
        most: of these, only so many, the first by name; None for all.
    """

    name: AgentName
    checkpoint: Path | None = None
    weights: str = WEIGHTS
    demos: Path | None = None
    most: int | None = None


def evaluate(
    cell: CellSpec,
    agent: AgentSpec,
    seeds: Sequence[int],
    workers: int,
) -> Iterator[Outcome]:
    """Yield how the episodes of `seeds` end with `agent`.

    Raises:
        CheckpointError: the checkpoint is not usable in this cell.
        BagError: there are no demonstrations to replay.
        ConfigError: the agent needs something that it was not given.
    """
    if agent.checkpoint is not None:
        _policy(agent, cell)  # what is wrong with it is said here, not by a worker
    threads = torch.get_num_threads()
    try:
        yield from over_processes(partial(_runner, cell, agent), seeds, workers)
    finally:
        torch.set_num_threads(threads)  # where this process was the worker


def demonstrations(spec: AgentSpec, contract: PolicyContract, task: str) -> list[Episode]:
    """Return what the control `nearest` of `spec` replays.

    Raises:
        BagError: there are none, or fewer than asked for.
        ConfigError: no folder of them was given.
    """
    if spec.demos is None:
        raise ConfigError("replay of the nearest demonstration needs them; pass --demos")
    return load_episodes(spec.demos, contract, task=task, most=spec.most)


def _runner(cell: CellSpec, spec: AgentSpec) -> Callable[[int], Outcome]:
    torch.set_num_threads(1)
    twin, agent = cell.build(), _agent(spec, cell)
    return lambda seed: roll_out(twin, agent, seed)


def _agent(spec: AgentSpec, cell: CellSpec) -> Agent:
    camera, contract = cell.load_robot().camera, cell.load_contract()
    if spec.name == "policy":
        return PolicyAgent(_policy(spec, cell), camera)
    if spec.name == "blind":
        return BlindAgent(_policy(spec, cell), _donor_visions(cell))
    if spec.name == "nearest":
        demos = demonstrations(spec, contract, cell.task)
        return NearestDemonstrationAgent(contract, camera, demos)
    if spec.name == "zero":
        return ZeroAgent()
    return ExpertAgent(1.0 / contract.policy_hz)


def _policy(spec: AgentSpec, cell: CellSpec) -> Policy:
    if spec.checkpoint is None:
        raise ConfigError(f"the agent '{spec.name}' needs a checkpoint; pass --policy")
    policy = Policy.load(
        spec.checkpoint,
        cell.load_contract(),
        weights=spec.weights,
        camera=cell.load_robot().camera,
    )
    policy.warm_up(2)
    return policy


@cache
def _donor_visions(cell: CellSpec) -> list[np.ndarray]:
    """Return what the expert saw in other episodes, (T, …) each."""
    twin = cell.build()
    observer = LockStepObserver(cell.load_contract(), cell.load_robot().camera)
    seeds = demonstration_seeds(BLIND_DONORS, _DONOR_FIRST)
    return [_vision_of(twin, observer, seed) for seed in seeds]


def _vision_of(twin: LockStep, observer: LockStepObserver, seed: int) -> np.ndarray:
    recorder = _Watching(ExpertAgent(1.0 / twin.contract.policy_hz), observer)
    roll_out(twin, recorder, seed)
    return np.concatenate(recorder.frames)


class _Watching:
    """An agent that keeps what a policy would have seen while another one acts."""

    def __init__(self, agent: Agent, observer: LockStepObserver) -> None:
        self._agent, self._observer = agent, observer
        self.frames: list[np.ndarray] = []

    def reset(self, twin: LockStep, seed: int) -> None:
        self._agent.reset(twin, seed)
        self.frames = []

    def act(self, twin: LockStep) -> np.ndarray:
        self.frames.append(self._observer.observe(twin).vision)
        return self._agent.act(twin)
