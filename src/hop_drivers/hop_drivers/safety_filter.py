"""The 23-joint safety filter between a source's targets and the motors; pure.

Two answers are kept apart: a target is *refused* when it cannot be meant (NaN, wrong joints, a jump
at the start) and *clamped* when it is meant but goes too far or too fast. Both are counted by
reason.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hop_core.clock import S_PER_NS
from hop_core.embodiment import ARM, JOINT_NAMES, Embodiment
from hop_core.kinematics import Kinematics
from hop_core.limiter import MotionLimiter
from hop_core.robot_config import RobotConfig
from hop_core.safety_config import SafetyConfig
from hop_drivers.target import SHORTEST_STEP_NS, RefusedTarget

_BISECTIONS = 3
_LONGEST_STEP_S = 0.1
_FIRST_STEP_NS = 50_000_000  # a policy's period: what a first point is given to be reached
_PLAN_POINTS = 64
_PLACES = ("position", "table", "self_collision", "workspace")


@dataclass(frozen=True, slots=True)
class FilteredStep:
    """What the filter lets through: q (23,) [rad], and the names of the bounds that acted."""

    q: np.ndarray
    clamped: tuple[str, ...]

    @property
    def blocked_by(self) -> tuple[str, ...]:
        """Those of the bounds that are of places: the others only take time."""
        return tuple(name for name in self.clamped if name in _PLACES)


@dataclass(frozen=True, slots=True)
class _Planned:
    """A command that is due at `due_ns`: q, qd (23,), and the goal (23,) that it answers."""

    due_ns: int
    q: np.ndarray
    qd: np.ndarray
    goal: np.ndarray | None


class SafetyFilter:
    """Bounds position, speed, acceleration and tool speed, and keeps distances.

    Arm and palm stay off the table, inside the workspace box and away from the arm itself.

    Distances apply to the arm's links and the palm: fingers may touch the table and the object, a
    grasp is contact. A posture that is too near already may be left, never made worse.

    Attributes:
        clamps: how often each bound acted.
    """

    def __init__(
        self,
        embodiment: Embodiment,
        safety: SafetyConfig,
        robot: RobotConfig,
        kinematics: Kinematics,
    ) -> None:
        """Bind limits and kinematics; one instance per thread."""
        self._lower, self._upper = safety.position_limits(embodiment)
        self._limits = safety.motion_limits(embodiment)
        self._limiter = MotionLimiter(self._limits, kinematics)
        self._kinematics = kinematics
        self._first_rad = np.full(len(JOINT_NAMES), safety.motion.first_target_hand_rad)
        self._first_rad[ARM] = safety.motion.first_target_arm_rad
        self._table_m = robot.table.center_m[2] + safety.distance.table_m
        self._self_m = safety.distance.self_m
        self._box_lower = np.array(robot.workspace.lower_m)
        self._box_upper = np.array(robot.workspace.upper_m)
        self._goal: np.ndarray | None = None  # of the last command; None: it stood still
        self._plan: deque[_Planned] = deque(maxlen=_PLAN_POINTS)
        self.clamps: Counter[str] = Counter()

    @property
    def q(self) -> np.ndarray:
        """The last command (23,) [rad]."""
        return self._limiter.q

    def set_speed(self, scale: float) -> None:
        """Slow everything to `scale` (0..1] of the configured pace."""
        self._limiter.limits = self._limits.scaled(scale)

    def reset(self, q: np.ndarray) -> None:
        """Start at rest at the measured or held pose (23,) [rad]."""
        self._limiter.reset(q)
        self._goal = None
        self._plan.clear()

    def stop(self, now_ns: int) -> None:
        """Come to rest at the command in force at ROS time `now_ns`.

        What was planned for later is dropped.
        """
        self.reset(self._in_force(now_ns))

    def _in_force(self, now_ns: int) -> np.ndarray:
        before: _Planned | None = None
        for planned in self._plan:
            if planned.due_ns > now_ns:
                if before is None:
                    return planned.q.copy()
                share = (now_ns - before.due_ns) / (planned.due_ns - before.due_ns)
                return before.q + share * (planned.q - before.q)
            before = planned
        return self._limiter.q.copy()

    def check_first(self, q_goal: np.ndarray) -> None:
        """Refuse a source's first target (23,) [rad] that is too far from the present command.

        Raises:
            RefusedTarget: naming the joint and both figures.
        """
        distance = np.abs(q_goal - self._limiter.q)
        excess = distance - self._first_rad
        worst = int(excess.argmax())
        if excess[worst] > 0.0:
            raise RefusedTarget(
                "first_target",
                f"first target refused: {JOINT_NAMES[worst]} would start {distance[worst]:.2f} "
                f"rad away (limit {self._first_rad[worst]:g}); go home first",
            )

    def follow(
        self, stamp_ns: int, due_ns: Sequence[int], q_goal: np.ndarray
    ) -> tuple[np.ndarray, set[str]]:
        """Return the safe version of a target's points, and the bounds that acted.

        A new chunk replaces what an earlier one planned from its first due time on. The drivers
        play a target as far apart as its points are from its stamp, whenever they get it: after a
        gap its first step has that time and no more.

        Args:
            stamp_ns: when the target was made; its first point is due later.
            due_ns: (K,) when each point is due, ascending.
            q_goal: (K, 23) wanted joint angles [rad].

        Raises:
            RefusedTarget: see `step`, or more points than are remembered, from among which the next
                chunk could not go on; nothing of the target is taken then.
        """
        if len(due_ns) >= _PLAN_POINTS:
            raise RefusedTarget(
                "too_long",
                f"target refused: {len(due_ns)} points, at most {_PLAN_POINTS - 1} are planned",
            )
        for goal in q_goal:
            _require_goal(goal)
        if not self._plan:
            self._remember(due_ns[0] - _FIRST_STEP_NS)
        last_ns = max(self._rewind(due_ns[0]), stamp_ns)
        safe, acted = np.empty(q_goal.shape), set[str]()
        for row, (due, goal) in enumerate(zip(due_ns, q_goal, strict=True)):
            step = self.step(goal, (due - last_ns) * S_PER_NS)
            safe[row] = step.q
            acted.update(step.clamped)
            self._remember(due)
            last_ns = due
        return safe, acted

    def _remember(self, due_ns: int) -> None:
        self._plan.append(_Planned(due_ns, self._limiter.q, self._limiter.qd, self._goal))

    def _rewind(self, due_ns: int) -> int:
        """Forget planned points that are due no earlier than `due_ns`.

        Returns when the last one kept is due.
        """
        forgot = False
        while self._plan and self._plan[-1].due_ns >= due_ns and len(self._plan) > 1:
            self._plan.pop()
            forgot = True
        last = self._plan[-1]
        if last.due_ns >= due_ns:  # where it began, which was to be later than what is due now
            last = self._plan[-1] = replace(last, due_ns=due_ns - _FIRST_STEP_NS)
        if forgot:
            self._limiter.q, self._limiter.qd = last.q.copy(), last.qd.copy()
            self._goal = last.goal
        return last.due_ns

    def step(self, q_goal: np.ndarray, dt_s: float) -> FilteredStep:
        """Return the next safe command on the way to `q_goal`.

        Args:
            q_goal: (23,) wanted joint angles [rad].
            dt_s: time since the last command was due [s].

        Raises:
            RefusedTarget: the goal has another size or a value that is not finite.
        """
        _require_goal(q_goal)
        before = self._limiter.q
        dt_s = min(max(dt_s, SHORTEST_STEP_NS * S_PER_NS), _LONGEST_STEP_S)
        inside = np.minimum(np.maximum(q_goal, self._lower), self._upper)
        clamped = ["position"] if (inside != q_goal).any() else []
        limited = self._limiter.step(inside, dt_s, self._goal_speed(inside, dt_s))
        self._goal = inside
        clamped += limited.clamped
        self._stay_inside(before, dt_s)
        clamped += self._keep_distance(before, dt_s)
        self.clamps.update(clamped)
        return FilteredStep(self._limiter.q.copy(), tuple(clamped))

    def _goal_speed(self, goal: np.ndarray, dt_s: float) -> np.ndarray | None:
        """How the goal moves (23,) [rad/s]: a stream that keeps the bounds passes unchanged."""
        if self._goal is None:
            return None
        return (goal - self._goal) / dt_s

    def _stay_inside(self, before: np.ndarray, dt_s: float) -> None:
        """Cut what braking at a changed step length would overshoot.

        A pose outside is eased in, never snapped.
        """
        q = self._limiter.q
        lower, upper = np.minimum(self._lower, before), np.maximum(self._upper, before)
        if ((q < lower) | (q > upper)).any():
            self._limiter.q = np.minimum(np.maximum(q, lower), upper)
            self._limiter.qd = (self._limiter.q - before) / dt_s

    def _keep_distance(self, before: np.ndarray, dt_s: float) -> list[str]:
        """Shorten the arm's step until nothing comes closer than allowed.

        Returns the bounds that acted.
        """
        wanted = self._limiter.q
        if np.array_equal(wanted[ARM], before[ARM]):
            return []
        depth = self._violations(wanted)
        if not any(value > 0.0 for value in depth.values()):
            return []
        allowed = {name: max(0.0, value) for name, value in self._violations(before).items()}
        acted = [name for name, value in depth.items() if value > allowed[name] + 1e-9]
        if not acted:
            return []
        share, step = 0.0, 0.5
        for _ in range(_BISECTIONS):
            trial = wanted.copy()
            trial[ARM] = before[ARM] + (share + step) * (wanted[ARM] - before[ARM])
            if all(
                value <= allowed[name] + 1e-9 for name, value in self._violations(trial).items()
            ):
                share += step
            step /= 2.0
        q = wanted.copy()
        q[ARM] = before[ARM] + share * (wanted[ARM] - before[ARM])
        self._limiter.q = q
        self._limiter.qd[ARM] = (q[ARM] - before[ARM]) / dt_s
        return acted

    def _violations(self, q: np.ndarray) -> dict[str, float]:
        """Depth [m] by which each distance bound is broken at `q` (23,).

        Negative when it is kept.
        """
        clearance = self._kinematics.clearance(q)
        palm = self._kinematics.site_pose(q, "palm")[:3, 3]
        return {
            "table": self._table_m - clearance.lowest_m,
            "self_collision": self._self_m - clearance.self_m,
            "workspace": float(max((self._box_lower - palm).max(), (palm - self._box_upper).max())),
        }


def _require_goal(q_goal: np.ndarray) -> None:
    """Pass if `q_goal` holds a finite angle for each joint.

    Raises:
        RefusedTarget: it does not.
    """
    if q_goal.shape != (len(JOINT_NAMES),):
        raise RefusedTarget(
            "size", f"target refused: shape {q_goal.shape} instead of ({len(JOINT_NAMES)},)"
        )
    if not np.isfinite(q_goal).all():
        raise RefusedTarget("not_finite", "target refused: a position is NaN or infinite")
