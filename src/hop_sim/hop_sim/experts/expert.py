"""What the scripted experts share: come in along the palm's normal, close, take away, try again.

An expert sees the true poses of what is in play, which a policy never does, and gives one 23-joint
target a tick, as a policy does. Episodes vary in approach, speed and pauses. A phase of its motion
is a method that is called once a tick; it ends by `_begin` of the next.

What it shows is to be imitated from few episodes, so it does not rest where the next thing is to be
done: who has seen a hand rest there mostly rests there for ever.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from hop_core.embodiment import ARM, HAND
from hop_core.kinematics import Kinematics
from hop_sim.experts.grasp import UP, Grasp
from hop_sim.experts.motion import Leg, along, between, turn_about
from hop_sim.tasks.task import SceneView, TaskConfig

# Counted up when an expert acts in another way with the same settings, lest what it showed before
# and after are learnt from as one.
ACTS = 2
LOST_M = 0.10  # an object so far from the grip has slipped out of the hand
_END_M = 0.08  # within so much of its way's end the hand has no leeway,
_START_M = 0.02  # nor, with an object, so near the way's start;
_LEEWAY_M = 0.08  # so much farther it has all
_RELEASE_S = 0.8
_FIST_RAD = 0.3
_STYLE_STREAM = 3  # of an episode's seed; other numbers draw the camera's pose and noise


@dataclass(frozen=True)
class Style:
    """How one episode is done.

    Attributes:
        speed_m_s: mean speed of the approach.
        close_s: time to close the fingers.
        settle_s: pause between closing and lifting.
        lift_s: time of a lift that ends the task.
        start_s: pause before the approach.
        yaw_rad, tilt_rad: added to the palm's yaw and tilt.
        wander_m: amplitude of a slow wobble of the approach.
    """

    speed_m_s: float
    close_s: float
    settle_s: float
    lift_s: float
    start_s: float
    yaw_rad: float
    tilt_rad: float
    wander_m: float

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Style:
        """Draw a style."""
        return cls(
            speed_m_s=rng.uniform(0.20, 0.30),
            close_s=rng.uniform(0.5, 0.7),
            settle_s=rng.uniform(0.1, 0.2),
            lift_s=rng.uniform(0.8, 1.2),
            start_s=rng.uniform(0.0, 0.2),
            yaw_rad=rng.uniform(-0.05, 0.05),
            tilt_rad=rng.uniform(-0.05, 0.05),
            wander_m=rng.uniform(0.0, 0.006),
        )


class Expert(ABC):
    """Gives one target a tick; `reset` it at the start of an episode.

    Attributes:
        grasps: how it takes each object, by name.
        grasp: how it takes the object in play; known from the first target on.
        lift_m: height to which it lifts.
        style: of the episode under way.
        leeway: how far the arm may stray without harm at this moment, 0 to 1: none where the hand
            closes or turns in.
    """

    grasps: ClassVar[dict[str, Grasp]]
    lift_m: ClassVar[float] = 0.18

    def __init__(
        self,
        rng: np.random.Generator,
        tick_s: float,
        task: TaskConfig,
        takes_as: str | None = None,
    ) -> None:
        """Draw this expert's episodes.

        Args:
            rng: source of the styles.
            tick_s: time between targets [s].
            task: numbers of the task; for those that need some.
            takes_as: name of an object; whatever is in play is taken as that one is.
        """
        self._rng = rng
        self._tick_s = tick_s
        self._takes_as = takes_as
        self._kinematics = Kinematics()
        self.style = Style.sample(rng)

    @classmethod
    def of_episode(
        cls, seed: int, tick_s: float, task: TaskConfig, takes_as: str | None = None
    ) -> Self:
        """Return an expert who draws all that the episode `seed` needs, live and in lock-step.

        The style of the episode is drawn by `reset`.
        """
        return cls(np.random.default_rng([seed, _STYLE_STREAM]), tick_s, task, takes_as)

    def reset(self, q: np.ndarray) -> None:
        """Start an episode at joint angles `q` (23,) [rad], in a new style; a fist opens first."""
        self.style = Style.sample(self._rng)
        self._q = np.array(q, dtype=np.float64)
        self._time_s = 0.0
        self._wobble = self._rng.uniform(0.0, 2.0 * np.pi, (2, 3))
        self._draw_more(self._rng)
        self.leeway = 0.0
        self._turn_rad = 0.0
        self._started = False

    def act(self, view: SceneView) -> np.ndarray:
        """Return the next target (23,) [rad] for what is in play."""
        if not self._started:
            self._start_with(view)
        self._time_s += self._tick_s
        self._phase_s += self._tick_s
        self.leeway = 0.0  # unless the phase gives some
        if self._phase_s > 0.0:
            self._phase(view)
        return self._q.copy()

    def _draw_more(self, rng: np.random.Generator) -> None:  # noqa: B027
        """Draw what this expert's episodes vary beside the style; by default nothing."""

    @abstractmethod
    def _take_away(self, view: SceneView) -> None:
        """The first phase with the object in the hand."""

    def _start_with(self, view: SceneView) -> None:
        """Begin the episode with what is in play; a hand that closed on air opens first."""
        self._started = True
        self.grasp = self.grasps[self._takes_as or view.object_name]
        is_fist = np.allclose(self._q[HAND], self.grasp.fist, atol=_FIST_RAD)
        self._begin(self._release if is_fist else self._approach, delay_s=self.style.start_s)

    def _begin(self, phase: Callable[[SceneView], None], delay_s: float = 0.0) -> None:
        """Let `phase` act from the next tick on, or `delay_s` later."""
        self._phase = phase
        self._phase_s = -delay_s
        self._turns = phase == self._approach
        self.leeway = 0.0
        self._start = self.grasp.point(self._q, self._kinematics)
        self._start_rotation = self._kinematics.site_pose(self._q, "palm")[:3, :3]
        self._start_hand = self._q[HAND].copy()

    def _grip(self, view: SceneView) -> np.ndarray:
        """Return where the object is gripped (3,) [m], taken to be upright."""
        return self.grasp.grip(view.T_base_object[:3, 3], self._turn_rad)

    def _palm(self, view: SceneView) -> np.ndarray:
        """Return R_base_palm (3, 3) of the grasp."""
        return self.grasp.rotation(self._turn_rad + self.style.yaw_rad, self.style.tilt_rad)

    def _is_lost(self, view: SceneView) -> bool:
        """Return whether the object has slipped out of the hand, however it lies in it."""
        hand_m = self.grasp.point(self._q, self._kinematics)
        return bool(np.linalg.norm(self._carried_grip(view) - hand_m) > LOST_M)

    def _carried_grip(self, view: SceneView) -> np.ndarray:
        """Return where the object is gripped (3,) [m], however it lies."""
        pose = view.T_base_object
        return np.asarray(pose[:3, 3] + pose[:3, :3] @ self._grip_in_object_m)

    def _approach(self, view: SceneView) -> None:
        """Turn in along the palm's normal, opening the hand, and close at the grip."""
        self._look(view)
        share = self._follow(self._way_in(view), self.style.speed_m_s)
        self._shape(self.grasp.open, min(1.0, 2.0 * share))
        if share >= 1.0:
            self._begin(self._close)

    def _look(self, view: SceneView) -> None:
        """Choose, once an approach, how palm and grip turn with the object."""
        if self._turns:
            self._turns = False
            x_axis = view.T_base_object[:2, 0]
            yaw_rad = float(np.arctan2(x_axis[1], x_axis[0]))
            self._turn_rad = self.grasp.turn_with(yaw_rad)
            grip_m = self.grasp.grip(np.zeros(3), self._turn_rad)
            self._grip_in_object_m = turn_about(UP, -yaw_rad) @ grip_m

    def _way_in(self, view: SceneView) -> list[Leg]:
        """Return the way to the grip; from above, half of the turn is done on the way there."""
        rotation, grip = self._palm(view), self._grip(view)
        before_m = self.grasp.before_m
        if not self.grasp.from_above:
            before_m = float(np.clip((grip - self._start) @ rotation[:, 0], 0.0, before_m))
        before = grip - before_m * rotation[:, 0]
        legs = [Leg(before, rotation), Leg(grip, rotation)]
        if self.grasp.from_above:
            above = np.array([before[0], before[1], max(self._start[2], before[2])])
            legs.insert(0, Leg(above, between(self._start_rotation, rotation, 0.5)))
        return legs

    def _follow(self, legs: Sequence[Leg], speed_m_s: float, end_leeway: float = 0.0) -> float:
        """Go along `legs`, wobbling a little; return the share of the time that has passed.

        At the end the arm has `end_leeway`.
        """
        reached = along(self._start, self._start_rotation, legs, speed_m_s, self._phase_s)
        share = reached.share
        wobble = np.sin(2.0 * self._time_s * (1.0 + self._wobble[0]) + self._wobble[1])
        fading = (1.0 - share) * min(1.0, 4.0 * share)
        self._move(reached.point_m + self.style.wander_m * fading * wobble, reached.rotation)
        self.leeway = self._leeway_at(reached.point_m, legs[-1].goal_m, end_leeway)
        return share

    def _leeway_at(self, point_m: np.ndarray, end_m: np.ndarray, end_leeway: float) -> float:
        """Return the leeway at `point_m` (3,) of a way to `end_m` (3,)."""
        leeway = max(end_leeway, _leeway(end_m - point_m, _END_M))
        if self._phase == self._approach:
            return leeway
        return min(leeway, _leeway(point_m - self._start, _START_M))

    def _close(self, _view: SceneView) -> None:
        self._shape(self.grasp.closed, min(1.0, self._phase_s / self.style.close_s))
        if self._phase_s >= self.style.close_s + self.style.settle_s:
            self._begin(self._take_away)

    def _release(self, _view: SceneView) -> None:
        """Open above the table, then approach anew."""
        share = min(1.0, self._phase_s / _RELEASE_S)
        self._shape(self.grasp.open, share)
        if share >= 1.0:
            self._begin(self._approach)

    def _shape(self, hand: np.ndarray, share: float) -> None:
        """Bring the fingers `share` of the way from the phase's start to `hand` (16,) [rad]."""
        self._q[HAND] = self._start_hand + share * (hand - self._start_hand)

    def _move(self, point_m: np.ndarray, rotation: np.ndarray) -> None:
        """Bring the gripping point to `point_m` (3,) and the palm to `rotation` (3, 3)."""
        self._q[ARM] = self.grasp.reach(point_m, rotation, self._q, self._kinematics)


def _leeway(way_m: np.ndarray, none_m: float) -> float:
    """Return the leeway so far (3,) from where there is none within `none_m`."""
    return min(1.0, max(0.0, (float(np.linalg.norm(way_m)) - none_m) / _LEEWAY_M))
