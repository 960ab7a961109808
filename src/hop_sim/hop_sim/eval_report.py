"""What `hop eval` found: figures of each agent, differences between arms, cadence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from hop_sim.agent_figures import AgentFigures, figures_of
from hop_sim.paired_bootstrap import Interval, OutcomeTable, differences_to_first, mean_success
from hop_sim.rollout import Outcome

_COLUMNS = (
    "agent",
    "success",
    "95 % interval",
    "time to success \\[s]",
    "interventions",
    "targets clamped",
    "jerk, arm / hand \\[rad/s^3]",
    "other ends",
)


@dataclass(frozen=True)
class Cadence:
    """Rates of a live run, and what is wrong with them; empty if nothing is."""

    figures: Mapping[str, float]
    problem: str


@dataclass
class Report:
    """What an evaluation found.

    Attributes:
        about: what was evaluated, flat.
        outcomes: of each agent, in the order of the table.
        arms: {arm: agents that are its checkpoints}; several arms are compared with the first.
        cadence: of each agent that ran live.
        pairs: {agent: the same policy in lock-step}, where both were run.
    """

    about: Mapping[str, object]
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    arms: Mapping[str, list[str]] = field(default_factory=dict)
    cadence: dict[str, Cadence] = field(default_factory=dict)
    pairs: dict[str, str] = field(default_factory=dict)

    @property
    def policies(self) -> list[str]:
        """Agents that are judged, not controls."""
        return [agent for agents in self.arms.values() for agent in agents]

    def table(self) -> OutcomeTable:
        """Return {arm: {agent: {seed: success}}} of the policies."""
        return {
            arm: {agent: {o.seed: o.success for o in self.outcomes[agent]} for agent in agents}
            for arm, agents in self.arms.items()
        }

    def differences(self) -> dict[str, Interval]:
        """Return the first arm's success less that of each other arm, by the other's name."""
        return differences_to_first(self.table()) if len(self.arms) > 1 else {}

    def means(self) -> dict[str, Interval]:
        """Return the mean success of each arm of several checkpoints."""
        return {arm: mean_success(each) for arm, each in self.table().items() if len(each) > 1}

    def disagreements(self) -> dict[str, list[int]]:
        """Return the seeds whose episodes end differently live and in lock-step, by policy."""
        return {
            live: [
                a.seed
                for a, b in zip(self.outcomes[live], self.outcomes[lock], strict=True)
                if a.success != b.success
            ]
            for live, lock in self.pairs.items()
        }

    def as_dict(self) -> dict[str, object]:
        """Return the figures for JSON; those of a single policy stand at the top too."""
        agents = {name: figures_of(each).as_dict() for name, each in self.outcomes.items()}
        single = agents[self.policies[0]] if len(self.policies) == 1 else {}
        out: dict[str, object] = {**self.about, **single, "agents": agents}
        if len(self.policies) > 1:
            out["arms"] = {arm: list(each) for arm, each in self.arms.items()}
            out["means"] = {arm: each.as_dict() for arm, each in self.means().items()}
            first = next(iter(self.arms))
            out["differences"] = {
                f"{first} - {arm}": each.as_dict() for arm, each in self.differences().items()
            }
        cadence = {name: dict(each.figures) for name, each in self.cadence.items()}
        if cadence:
            out["cadence"] = self._of_single(cadence)
            out["cadence_problem"] = self.cadence_problem
        if self.pairs:
            out["disagree"] = self._of_single(self.disagreements())
        return out

    def _of_single(self, by_policy: Mapping[str, object]) -> object:
        """Return the only policy's figures as they are; those of several by name."""
        return next(iter(by_policy.values())) if len(self.policies) == 1 else by_policy

    @property
    def cadence_problem(self) -> str:
        """What is wrong with the cadence of a live run; empty if nothing is."""
        problems = {name: each.problem for name, each in self.cadence.items() if each.problem}
        if len(self.policies) == 1:
            return "".join(problems.values())
        return "; ".join(f"{name}: {problem}" for name, problem in problems.items())

    def show(self, console: Console) -> None:
        """Print the success table, the differences, and the cadence of a live run."""
        table = Table(*_COLUMNS, title=", ".join(f"{k} {v}" for k, v in self.about.items()))
        for name, outcomes in self.outcomes.items():
            table.add_row(name, *_row(figures_of(outcomes), outcomes))
        console.print(table)
        for arm, mean in self.means().items():
            console.print(f"{arm}: {_interval(mean)} over {mean.seeds[0]} checkpoints and states")
        for arm, difference in self.differences().items():
            console.print(f"{next(iter(self.arms))} - {arm}: {_difference(difference)}")
        for name, seeds in self.disagreements().items():
            console.print(f"{name}: states that disagree: {seeds or 'none'}")
        for name, cadence in self.cadence.items():
            rows = Table(f"cadence, {name}", "value")
            for key, value in cadence.figures.items():
                rows.add_row(key, f"{value:g}")
            console.print(rows)
            console.print(cadence.problem or "cadence holds")

    def shortfalls(self, require: int) -> list[str]:
        """Return what falls short, a sentence each: policies below `require` successes, cadence."""
        short = []
        for name in self.policies:
            successes = sum(outcome.success for outcome in self.outcomes[name])
            if successes < require:
                short.append(f"{name}: {successes} successes, {require} are required")
        return short + [self.cadence_problem] * bool(self.cadence_problem)


def _row(figures: AgentFigures, outcomes: list[Outcome]) -> list[str]:
    rate, time_s = figures.rate, figures.time_to_success_s
    jerks = (figures.arm_jerk_rad_s3, figures.hand_jerk_rad_s3)
    ends = Counter(o.reason for o in outcomes if not o.success)
    return [
        f"{rate.value:.2f} ({rate.successes}/{rate.trials})",
        f"{rate.low:.2f}-{rate.high:.2f}",
        "-" if time_s is None else f"{time_s:.1f}",
        str(sum(figures.interventions.values())),
        figures.clamped,
        " / ".join("-" if jerk is None else f"{jerk:.0f}" for jerk in jerks),
        "; ".join(f"{count} x {reason}" for reason, count in ends.most_common()) or "-",
    ]


def _interval(each: Interval) -> str:
    return f"{each.value:+.2f} [{each.low:+.2f}, {each.high:+.2f}]"


def _difference(each: Interval) -> str:
    """Return a difference in words: it counts only where its interval excludes 0."""
    sign = "higher" if each.value > 0 else "lower"
    verdict = f"{sign}: the interval excludes 0" if each.shown else "no difference shown"
    return f"{_interval(each)}, {each.over}, {each.states} paired: {verdict}"
