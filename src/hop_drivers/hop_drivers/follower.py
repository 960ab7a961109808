"""Follows targets in time at a device's own rate.

Interpolation, second-line limits and the watchdog on command age; pure.
"""

from __future__ import annotations

from collections import deque
from enum import Enum

import numpy as np

from hop_core.clock import S_PER_NS
from hop_core.embodiment import Embodiment
from hop_core.interpolate import TargetInterpolator
from hop_core.limiter import MotionLimiter, MotionLimits
from hop_core.rate import QuantileRing
from hop_core.safety_config import SafetyConfig, WatchdogConfig
from hop_drivers.target import Target


class Phase(Enum):
    """What the follower is doing.

    Nothing came yet, following, targets are stale, or stale for too long.
    """

    WAITING = "no target since arming"
    FOLLOWING = "following"
    STALE = "targets stopped"
    EXPIRED = "no target for too long"


def strayed(commanded: np.ndarray, measured: np.ndarray, limit_rad: float) -> str:
    """Return which joint of the arm is too far from its command; empty if none is.

    Args:
        commanded: (7,) [rad].
        measured: (7,) [rad].
        limit_rad: what is allowed.
    """
    error = np.abs(commanded - measured)
    worst = int(error.argmax())
    if error[worst] <= limit_rad:
        return ""
    return f"joint{worst + 1} is {error[worst]:.2f} rad from its command (limit {limit_rad:g})"


class Follower:
    """Turns targets at some 20 Hz into commands at the device's rate.

    It starts at rest at the measured pose. After a gap of its own it starts there again, since the
    device may be anywhere between. Stale targets end in a braked stop at the last command.

    `offer` may be called from any thread; all else belongs to the control loop.

    Attributes:
        q: (n,) last command [rad].
        limited: steps in which the second-line velocity limit acted (the supervisor's should have).
        restarts: starts from the measured pose after a gap.
        wait_ms: how long targets waited for the loop to take them.
    """

    def __init__(
        self,
        lower: np.ndarray,
        upper: np.ndarray,
        limits: MotionLimits,
        watchdog: WatchdogConfig,
    ) -> None:
        """Bind limits (n,) [rad], motion bounds and ages."""
        self._lower = lower
        self._upper = upper
        self._limiter = MotionLimiter(limits)
        self._watchdog = watchdog
        self._interpolator = TargetInterpolator(np.zeros(len(lower)), 0)
        # One element: handing over and taking are single steps, and no target is lost between.
        self._slot: deque[tuple[Target, int | None]] = deque(maxlen=1)
        self.wait_ms = QuantileRing()
        self._taken: Target | None = None
        self._planned: list[tuple[int, np.ndarray]] = []
        self._fresh_ns: int | None = None
        self._started_ns = 0
        self._last_ns: int | None = None
        self.phase = Phase.WAITING
        self.limited = 0
        self.restarts = 0

    @property
    def q(self) -> np.ndarray:
        """The last command (n,) [rad]."""
        return self._limiter.q

    def arm(self) -> None:
        """Forget everything: the next step starts from the measured pose."""
        self._slot.clear()
        self._taken = None
        self._fresh_ns = self._last_ns = None

    def offer(self, target: Target, received_ns: int | None = None) -> None:
        """Hand over the newest target, received at monotonic time `received_ns`.

        The loop takes it at its next step.
        """
        self._slot.append((target, received_ns))

    def step(self, now_ns: int, q_measured: np.ndarray, dt_s: float) -> np.ndarray:
        """Return the command (n,) [rad] for now.

        Args:
            now_ns: monotonic time.
            q_measured: (n,) measured joint angles [rad].
            dt_s: time that the command will be in force [s].
        """
        if self._last_ns is None:
            self._start(now_ns, q_measured)
        elif (now_ns - self._last_ns) * S_PER_NS > self._watchdog.gap_restart_s:
            self.restarts += 1
            self._restart(self._last_ns, now_ns, q_measured)
        self._last_ns = now_ns
        self._take(now_ns)
        self._watch(now_ns)
        goal = np.clip(self._interpolator.sample(now_ns), self._lower, self._upper)
        step = self._limiter.step(goal, dt_s)
        self.limited += "velocity" in step.clamped
        return step.q

    def _start(self, now_ns: int, q_measured: np.ndarray) -> None:
        self._started_ns = now_ns
        self.phase = Phase.WAITING
        self._limiter.reset(q_measured)
        self._interpolator = TargetInterpolator(q_measured, now_ns)

    def _restart(self, last_ns: int, now_ns: int, q_measured: np.ndarray) -> None:
        self._limiter.reset(q_measured)
        self._interpolator = TargetInterpolator(q_measured, now_ns)
        if self._taken is not None and self.phase is Phase.FOLLOWING:
            self._resume(self._taken, last_ns, now_ns)

    def _take(self, now_ns: int) -> None:
        try:
            target, received_ns = self._slot.pop()
        except IndexError:  # nothing new
            return
        if received_ns is not None:
            self.wait_ms.add((now_ns - received_ns) * 1e-6)
        self._taken = target
        self._fresh_ns = now_ns
        self.phase = Phase.FOLLOWING
        self._plan(target, now_ns)

    def _plan(self, target: Target, now_ns: int) -> None:
        """Play the points from now on, as far apart as from the stamp.

        A target is on its way for 15-25 ms. Played by the stamp, 50 ms of motion would be squeezed
        into the rest of its tick, at up to three times the speed that the filter allowed, and the
        robot would stand still until the next one. So all are late by their own age, and smooth.
        """
        due = [now_ns + stamp - target.stamp_ns for stamp in target.due_ns]
        self._planned = list(zip(due, target.q, strict=True))
        self._interpolator.set_target(self._planned, now_ns)

    def _resume(self, target: Target, last_ns: int, now_ns: int) -> None:
        """Go on after a gap that began at `last_ns`, as late as it was long: at the same speed.

        Of a target that was over by then, the last point is played in good time.
        """
        late_ns = now_ns - last_ns
        left = [(due_ns + late_ns, q) for due_ns, q in self._planned if due_ns > last_ns]
        last = (now_ns + target.due_ns[0] - target.stamp_ns, target.q[-1])
        self._planned = left or [last]
        self._interpolator.set_target(self._planned, now_ns)

    def _watch(self, now_ns: int) -> None:
        if self._fresh_ns is None:
            if (now_ns - self._started_ns) * S_PER_NS > self._watchdog.arming_s:
                self.phase = Phase.EXPIRED
            return
        age_s = (now_ns - self._fresh_ns) * S_PER_NS
        if age_s > self._watchdog.target_stale_s + self._watchdog.hold_disarm_s:
            self.phase = Phase.EXPIRED
        elif age_s > self._watchdog.target_stale_s and self.phase is Phase.FOLLOWING:
            self.phase = Phase.STALE
            self._interpolator = TargetInterpolator(self._limiter.q, now_ns)


def device_follower(embodiment: Embodiment, safety: SafetyConfig, joints: slice) -> Follower:
    """Return the follower of the arm's or the hand's `joints`.

    Its bounds are the configured speeds and the device's own position and acceleration limits: a
    second line, behind the supervisor's.
    """
    velocity = safety.motion_limits(embodiment, tcp=False).velocity[joints]
    limits = MotionLimits(velocity, embodiment.acceleration_limit[joints])
    lower, upper = embodiment.lower[joints], embodiment.upper[joints]
    return Follower(lower, upper, limits, safety.watchdog)
