"""The simulator in the loop: Eq. 1 from the simulated posture, limiter, servos, physics, record.

Source: HOP paper, section III-B: a[k] minimises Eq. 1 from the posture that physics left at k-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hop_core.embodiment import Embodiment, load_embodiment
from hop_core.limiter import limit_motion
from hop_core.retargeting.config import Correspondence, RetargetConfig
from hop_core.retargeting.lm_solver import LmSolver
from hop_core.retargeting.objective import keypoint_error_m
from hop_core.retargeting.solver import Bounds, Solver, one_turn_bounds
from hop_core.retargeting.solvers import SolverName, create_solver
from hop_core.retargeting.target_points import target_points
from hop_core.safety_config import SafetyConfig
from hop_sim.retarget.attempts import Attempts, draw_attempts
from hop_sim.retarget.config import EngineConfig
from hop_sim.retarget.motion import object_motion
from hop_sim.retarget.physics import BatchPhysics, Physics
from hop_sim.retarget.soundness import Soundness
from hop_sim.tracks.keypoints import MIDDLE_KNUCKLE
from hop_sim.tracks.resample import Track20

JOINTS = 23
PALM = Correspondence(name="palm", keypoint=MIDDLE_KNUCKLE, frame="palm", weight=1.0, scored=True)
"""The palm's origin, whichever points Eq. 1 has: the tool whose speed is limited."""


@dataclass(frozen=True)
class Rollouts:
    """B attempts at a track, N steps each: the lead-in, then a step for each frame of the track.

    An attempt ends early when it cannot be kept any more; its rows after that are NaN.

    Attributes:
        attempts: what differed between them.
        contact: (N,) whether the human touches the object; never in the lead-in.
        lead_in: steps before the track's first frame.
        steps: (B,) int, how many steps each made: N, or fewer.
        reason: (B,) int, why it ended early, as number in `soundness.REASONS`; -1: it did not.
        goals_m: (B, N, K, 3) x_h of Eq. 1 in base_link.
        q: (B, N, 23) simulated posture after each step [rad].
        q_raw: (B, N, 23) the solver's answer a[k] [rad].
        q_target: (B, N, 23) what the limiter made of it, the executed target [rad].
        object_pose: (B, N, 7) after each step: x, y, z [m], quaternion w, x, y, z.
        error_m: (B, N) mean distance of the scored keypoints at `q`.
        limited, unsolved: (B,) steps in which the limiter acted, and in which the solver ended
            without meeting its tolerance.
        penetration_m: (B,) deepest contact of the hand.
        saturation_share: (B,) of the hand's motors at their caps, mean over the steps.
    """

    attempts: Attempts
    contact: np.ndarray
    lead_in: int
    steps: np.ndarray
    reason: np.ndarray
    goals_m: np.ndarray
    q: np.ndarray
    q_raw: np.ndarray
    q_target: np.ndarray
    object_pose: np.ndarray
    error_m: np.ndarray
    limited: np.ndarray
    unsolved: np.ndarray
    penetration_m: np.ndarray
    saturation_share: np.ndarray


class Engine:
    """Retargets tracks; the same to the bit on any number of threads.

    Attributes:
        config, eq1: of the attempts, and of Eq. 1.
        embodiment: the robot.
    """

    def __init__(
        self,
        config: EngineConfig,
        eq1: RetargetConfig,
        safety: SafetyConfig,
        solver: SolverName = "lm",
        threads: int = 1,
    ) -> None:
        """Load the robot and the solvers.

        Raises:
            RetargetingError: see `LmSolver`.
        """
        self.config, self.eq1 = config, eq1
        self.embodiment: Embodiment = load_embodiment()
        self._limits = safety.motion_limits(self.embodiment)
        self._threads = threads
        self._solver: Solver = create_solver(eq1, solver, self._bounds(safety), threads)
        self._points = LmSolver(eq1)
        self._palm = LmSolver(eq1.model_copy(update={"points": (PALM,)}))

    def positions(self, q: np.ndarray) -> np.ndarray:
        """Return the robot's points (..., K, 3) of Eq. 1 in base_link at `q` (..., 23) [rad]."""
        points = self._points.positions(q.reshape(-1, JOINTS))
        return points.reshape(*q.shape[:-1], *points.shape[1:])

    def run(self, track: Track20, numbers: range, seed: int) -> Rollouts:
        """Return the attempts `numbers` at `track`, drawn from `seed`."""
        attempts = draw_attempts(track, numbers, self.config, self.embodiment, seed)
        physics = BatchPhysics(
            track.object_points_m, attempts, self.embodiment, self.config.physics, self._threads
        )
        return self.follow(track, attempts, physics)

    def follow(self, track: Track20, attempts: Attempts, physics: Physics) -> Rollouts:
        """Return what comes of `attempts` at `track` in `physics`."""
        lead_in, step_s = self.config.start.lead_in_steps, self.config.physics.step_s
        motion = object_motion(track.T_table_object, attempts, lead_in, step_s)
        goals_m = self._goals(track, attempts)
        batch, steps = goals_m.shape[:2]
        q, q_raw, q_target = (np.full((batch, steps, JOINTS), np.nan) for _ in range(3))
        sound = Soundness(batch, steps, self.config.prune)
        physics.reset(attempts.q)
        rows = np.arange(batch)
        now = target = goal = attempts.q
        speed = np.zeros_like(now)
        for k in range(steps):
            solution = self._solver.solve(goals_m[rows, k], now)
            goal_qd, goal = (solution.a - goal) / step_s, solution.a
            target, speed, clamped = limit_motion(
                target, speed, goal, step_s, self._limits, self._palm_position, goal_qd
            )
            result = physics.step(rows, target, motion.pose[rows, k], motion.velocity[rows, k])
            now = result.q
            q[rows, k], q_raw[rows, k], q_target[rows, k] = now, goal, target
            on = sound.look(rows, solution, clamped.any, result)
            if not on.any():
                break
            if not on.all():
                rows, now, target, speed, goal = (x[on] for x in (rows, now, target, speed, goal))
        return Rollouts(
            attempts=attempts,
            contact=np.concatenate([np.zeros(lead_in, dtype=bool), track.contact]),
            lead_in=lead_in,
            steps=sound.steps,
            reason=sound.reason,
            goals_m=goals_m,
            q=q,
            q_raw=q_raw,
            q_target=q_target,
            object_pose=motion.pose[:, 1:],
            error_m=keypoint_error_m(goals_m, self.positions(q), self.eq1),
            limited=sound.limited,
            unsolved=sound.unsolved,
            penetration_m=sound.penetration_m,
            saturation_share=sound.saturated / np.maximum(sound.steps, 1),
        )

    def _bounds(self, safety: SafetyConfig) -> Bounds:
        """Where the deployment's limits let joints be, one winding of each."""
        turn = one_turn_bounds(self.embodiment)
        lower, upper = safety.position_limits(self.embodiment)
        return Bounds(np.maximum(turn.lower, lower), np.minimum(turn.upper, upper))

    def _palm_position(self, q: np.ndarray) -> np.ndarray:
        """(A, 3) the palm in base_link at `q` (A, 23) [m]."""
        return self._palm.positions(q)[:, 0]

    def _goals(self, track: Track20, attempts: Attempts) -> np.ndarray:
        """(B, N, K, 3) goals of the robot's points in base_link [m].

        In the lead-in they go from where the points are to the track's first frame with minimum
        jerk, which leaves the limiter nothing to do.
        """
        points = target_points(track.keypoints_m, self.eq1)
        rotation, origin = attempts.T_base_table[:, :3, :3], attempts.T_base_table[:, :3, 3]
        course = np.einsum("bij,nkj->bnki", rotation, points) + origin[:, None, None]
        steps = self.config.start.lead_in_steps
        s = np.arange(1, steps + 1) / (steps + 1)
        share = (s**3 * (10.0 - 15.0 * s + 6.0 * s**2))[None, :, None, None]
        begin = self.positions(attempts.q)[:, None]
        return np.concatenate([begin + share * (course[:, :1] - begin), course], axis=1)
