"""Rollouts in lock-step, one episode at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from hop_core.robot_config import RobotConfig, load_robot
from hop_core.safety_config import load_safety
from hop_policy.contract import PolicyContract, VisionKind, load_contract
from hop_sim.agents import Agent
from hop_sim.lockstep import LockStep
from hop_sim.motion_record import Motion
from hop_sim.realism import Realism
from hop_sim.tap import Tap
from hop_sim.tasks.registry import load_task
from hop_sim.tasks.start import TaskStart
from hop_sim.tasks.task import Task


@dataclass(frozen=True)
class CellSpec:
    """What a lock-step cell is built from; small enough to send to another process.

    Attributes:
        task: name of the task.
        realism: of the camera.
        config_dir: folder of the configurations; None: the installed one.
        vision: what its policy sees; None: as policy.yaml says.
        robot: name of the cell's overlay.
    """

    task: str
    realism: Realism = field(default_factory=Realism)
    config_dir: str | None = None
    vision: VisionKind | None = None
    robot: str = "twin"

    def load_robot(self) -> RobotConfig:
        """Return the cell's overlay."""
        return load_robot(self.robot, self.config_dir)

    def load_contract(self) -> PolicyContract:
        """Return the contract of policies in this cell."""
        return load_contract(self.config_dir, self.vision)

    def build(self) -> LockStep:
        """Return the lock-step twin."""
        robot = self.load_robot()
        task = load_task(self.task, robot.table, self.config_dir)
        return LockStep(
            task, robot, load_safety(self.config_dir), self.load_contract(), self.realism
        )


SUCCESS, TIME_LIMIT = "success", "time limit"
"""Ends of an episode that are no intervention."""


@dataclass(frozen=True)
class Outcome:
    """How an episode ended.

    Attributes:
        seed: of the episode.
        success: whether the task was done within the limit and nothing stopped the robot.
        time_s: when it ended [s].
        rise_m: height of the object above its rest at the end [m].
        reason: "success", "time limit", or why the robot stopped: a safety HOLD or FAULT.
        start_m: where the object stood, x and y in base_link [m].
        motion: what the safety filter did with the targets, and how smooth they were.
    """

    seed: int
    success: bool
    time_s: float
    rise_m: float
    reason: str
    start_m: tuple[float, float]
    motion: Motion

    @property
    def intervention(self) -> str:
        """Why the robot's safety ended the episode; empty if it did not."""
        return "" if self.reason in (SUCCESS, TIME_LIMIT) else self.reason


DrawStart = Callable[[Task, np.random.Generator], TaskStart]


def roll_out(
    twin: LockStep,
    agent: Agent,
    seed: int,
    tap: Tap | None = None,
    draw_start: DrawStart = Task.sample,
) -> Outcome:
    """Run the episode of `seed` to its end.

    `draw_start` draws its start state from the seed; default: as evaluation does.
    """
    start = draw_start(twin.task, np.random.default_rng(seed))
    twin.reset(start, 0, seed, tap)
    agent.reset(twin, seed)
    while not twin.done:
        twin.step(agent.act(twin))
    reason = SUCCESS if twin.success else twin.stopped or TIME_LIMIT
    rise_m = twin.monitor.rise_m(twin.world.data)
    x, y = start.position_m[0, :2]
    place, motion = (float(x), float(y)), twin.motion.motion()
    return Outcome(seed, twin.success, twin.monitor.time_s, rise_m, reason, place, motion)
