"""Figures of one agent over the episodes that it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from hop_sim.motion_record import pooled_jerk
from hop_sim.rollout import Outcome
from hop_sim.statistics import Rate, success_rate


@dataclass(frozen=True)
class AgentFigures:
    """What an agent did.

    Attributes:
        rate: of success, with its Wilson interval.
        time_to_success_s: median over its successes; None without one.
        failed_seeds: episodes without success.
        interventions: episodes that the robot's safety ended, by reason.
        targets: that the safety filter accepted, of all episodes.
        changed: of these, how many it changed.
        clamps: how many for each reason; None where reasons are not known (live).
        arm_jerk_rad_s3, hand_jerk_rad_s3: of the accepted targets, root mean square; None without.
    """

    rate: Rate
    time_to_success_s: float | None
    failed_seeds: tuple[int, ...]
    interventions: Mapping[str, int]
    targets: int
    changed: int
    clamps: Mapping[str, int] | None
    arm_jerk_rad_s3: float | None
    hand_jerk_rad_s3: float | None

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON."""
        return {
            **self.rate.as_dict(),
            "time_to_success_s": _rounded(self.time_to_success_s, 2),
            "failed_seeds": list(self.failed_seeds),
            "interventions": {
                "episodes": sum(self.interventions.values()),
                "reasons": dict(self.interventions),
            },
            "clamps": {
                "targets": self.targets,
                "changed": self.changed,
                "reasons": None if self.clamps is None else dict(self.clamps),
            },
            "arm_jerk_rad_s3": _rounded(self.arm_jerk_rad_s3, 1),
            "hand_jerk_rad_s3": _rounded(self.hand_jerk_rad_s3, 1),
        }

    @property
    def clamped(self) -> str:
        """How many targets were changed, and why, for a table."""
        if not self.targets:
            return "-"
        clamps = sorted((self.clamps or {}).items())
        reasons = ", ".join(f"{name} {count}" for name, count in clamps)
        return f"{self.changed / self.targets:.1%}" + (f" ({reasons})" if reasons else "")


def figures_of(outcomes: Sequence[Outcome]) -> AgentFigures:
    """Return the figures of the agent whose episodes ended as `outcomes`."""
    times = [o.time_s for o in outcomes if o.success]
    motions = [o.motion for o in outcomes]
    reasons = [motion.clamps for motion in motions]
    clamps: Counter[str] | None = Counter()
    for each in reasons:
        clamps = None if clamps is None or each is None else clamps + Counter(each)
    return AgentFigures(
        rate=success_rate([o.success for o in outcomes]),
        time_to_success_s=median(times) if times else None,
        failed_seeds=tuple(o.seed for o in outcomes if not o.success),
        interventions=Counter(o.intervention for o in outcomes if o.intervention),
        targets=sum(motion.targets for motion in motions),
        changed=sum(motion.changed for motion in motions),
        clamps=clamps,
        arm_jerk_rad_s3=pooled_jerk([(m.arm_jerk_rad_s3, m.targets) for m in motions]),
        hand_jerk_rad_s3=pooled_jerk([(m.hand_jerk_rad_s3, m.targets) for m in motions]),
    )


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
