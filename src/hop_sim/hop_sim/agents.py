"""Who answers the ticks of a rollout: a policy, the expert, or a control that must do worse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from hop_core.errors import ConfigError
from hop_core.robot_config import CameraConfig
from hop_policy.contract import PolicyContract
from hop_policy.dataset import Episode
from hop_policy.inference import Policy
from hop_policy.observation import JointScaling, Observation
from hop_sim.disturbance import Disturbance
from hop_sim.experts.registry import expert_class
from hop_sim.lockstep import LockStep
from hop_sim.observe import LockStepObserver


class Agent(Protocol):
    """Gives one target a tick."""

    def reset(self, twin: LockStep, seed: int) -> None:
        """Begin the episode that `twin` was just reset to."""

    def act(self, twin: LockStep) -> np.ndarray:
        """Return the target (23,) [rad] that answers the present tick."""


class PolicyAgent:
    """A trained policy."""

    def __init__(self, policy: Policy, camera: CameraConfig) -> None:
        """Wrap `policy`."""
        self._policy = policy
        self._observer = LockStepObserver(policy.contract, camera)

    def reset(self, twin: LockStep, seed: int) -> None:
        """Forget the last episode."""
        self._policy.reset()

    def act(self, twin: LockStep) -> np.ndarray:
        """Return the policy's target (23,) [rad]."""
        return self._policy.act(self._observer.observe(twin))[0]


class BlindAgent:
    """The same policy with its own proprioception and the vision of another episode.

    Its own is not even rendered.
    """

    def __init__(self, policy: Policy, visions: Sequence[np.ndarray]) -> None:
        """Wrap `policy`; `visions` are the frames (T, …) of other episodes.

        Raises:
            ConfigError: there are none.
        """
        if not visions:
            raise ConfigError("a blind policy needs the vision of at least one other episode")
        self._policy = policy
        self._scaling = JointScaling(policy.contract)
        self._visions = visions

    def reset(self, twin: LockStep, seed: int) -> None:
        """Forget the last episode and pick whose vision is shown."""
        self._policy.reset()
        self._vision = self._visions[seed % len(self._visions)]
        self._tick = 0

    def act(self, twin: LockStep) -> np.ndarray:
        """Return the policy's target (23,) [rad]; the last foreign frame stays at the end."""
        frame = self._vision[min(self._tick, len(self._vision) - 1)]
        self._tick += 1
        proprio = self._scaling.scale(twin.joints()[None])
        return self._policy.act(Observation(proprio, frame[None]))[0]


class NearestDemonstrationAgent:
    """Replays the targets of the demonstration whose first frame looks most like this episode's."""

    def __init__(
        self, contract: PolicyContract, camera: CameraConfig, demos: Sequence[Episode]
    ) -> None:
        """Keep the demonstrations.

        Raises:
            ConfigError: there are none.
        """
        if not demos:
            raise ConfigError("replay of the nearest demonstration needs demonstrations")
        self._observer = LockStepObserver(contract, camera)
        self._scaling = JointScaling(contract)
        self._demos = demos
        self._first = np.stack([demo.vision[0] for demo in demos])

    def reset(self, twin: LockStep, seed: int) -> None:
        """Choose the demonstration."""
        frame = self._observer.observe(twin).vision[0]
        distance = np.abs(self._first - frame).reshape(len(self._first), -1).mean(axis=1)
        self._action = self._demos[int(distance.argmin())].action
        self._tick = 0

    def act(self, twin: LockStep) -> np.ndarray:
        """Return the demonstration's next target (23,) [rad]; at its end, the last one."""
        action = self._action[min(self._tick, len(self._action) - 1)]
        self._tick += 1
        return self._scaling.unscale(action)


class ZeroAgent:
    """Stays where the episode began."""

    def reset(self, twin: LockStep, seed: int) -> None:
        """Remember the start."""
        self._q = twin.joints()

    def act(self, twin: LockStep) -> np.ndarray:
        """Return the start (23,) [rad]."""
        return self._q


class ExpertAgent:
    """The scripted expert; it alone sees the true poses."""

    def __init__(
        self, tick_s: float, takes_as: str | None = None, disturbance: Disturbance | None = None
    ) -> None:
        """Give one target every `tick_s` [s].

        Args:
            tick_s: time between targets.
            takes_as: that of `Expert`.
            disturbance: makes the arm stray where the expert has leeway; None is an arm that obeys.
        """
        self._tick_s = tick_s
        self._takes_as = takes_as
        self._disturbance = disturbance

    def reset(self, twin: LockStep, seed: int) -> None:
        """Take the task's expert and draw the style of the episode from its seed."""
        task = twin.task.config
        expert = expert_class(task.task)
        self._expert = expert.of_episode(seed, self._tick_s, task, self._takes_as)
        self._expert.reset(twin.joints())
        if self._disturbance is not None:
            self._disturbance.reset(seed)

    def act(self, twin: LockStep) -> np.ndarray:
        """Return the expert's target (23,) [rad].

        A recording gets the tick that a policy would have seen.
        """
        if twin.tap is not None:
            twin.observe()
        target = self._expert.act(twin.monitor.view(twin.world.data))
        if self._disturbance is not None:
            twin.disturb(self._expert.leeway * self._disturbance.step())
        return target
