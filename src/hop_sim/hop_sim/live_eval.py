"""Evaluation through the ROS graph of the twin: real drivers, real protocols, real time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hop_core.errors import TwinError
from hop_sim.eval_report import Cadence
from hop_sim.live_figures import rates_between, read_counters
from hop_sim.live_launch import LiveLaunch
from hop_sim.live_runner import LiveRunner, PolicyPerformer, Recording
from hop_sim.rollout import CellSpec, Outcome

MAX_MISSED_SHARE = 0.02
"""Share of missed policy ticks above which the cadence counts as broken."""
CADENCE_HZ = {"policy_hz": (19.5, 20.5), "arm_hz": (117.0, 123.0), "hand_hz": (320.0, 340.0)}
"""Rates outside which it counts so too."""


@dataclass(frozen=True)
class LiveOptions:
    """What runs.

    Attributes:
        cell: task, realism and configuration.
        checkpoint: the policy.
        record: record every episode as a bag.
    """

    cell: CellSpec
    checkpoint: Path
    record: bool = False


def evaluate_live(
    options: LiveOptions,
    seeds: Sequence[int],
    watch: Callable[[Iterator[Outcome]], list[Outcome]],
    judged: Callable[[Cadence], None],
) -> list[Outcome]:
    """Start the graph, arm, let the policy do the episodes of `seeds`, end the graph.

    Args:
        options: what runs.
        seeds: of the episodes.
        watch: takes the outcomes as the episodes end and returns them; a progress display, say.
        judged: is given the cadence of policy, arm and hand over all episodes that ended, also
            where the run ends before its last.

    Raises:
        TwinError: the graph does not come up, or stops answering.
    """
    # ROS is needed from here on only.
    from hop_sim.nodes.graph_client import GraphClient
    from hop_sim.nodes.motion_watch import MotionWatch

    cell = options.cell
    twin = cell.load_robot().twin
    if twin is None:
        raise TwinError(f"the cell '{cell.robot}' has no twin; live evaluation is for the twin")
    launch = LiveLaunch(
        policy=str(options.checkpoint.resolve()),
        task=cell.task,
        auto_arm="false",
        auto_start="false",
        config_dir=cell.config_dir or "",
    )
    recording = Recording("policy") if options.record else None
    with launch, GraphClient("live_eval") as graph:
        motion = MotionWatch(graph.node, cell.load_contract().tick_ns)
        runner = LiveRunner(cell.realism, twin, graph, launch, recording, motion)
        runner.bring_up("policy")
        performer, pace = PolicyPerformer(graph), PolicyPace()
        first = runner.read_counters()

        def episodes() -> Iterator[Outcome]:
            for seed in seeds:
                outcome = runner.episode(seed, performer)
                pace.add(performer.pace())
                yield outcome

        try:
            outcomes = watch(episodes())
        finally:
            if pace.known:
                figures = pace.figures() | rates_between(first, read_counters(graph.figures))
                judged(Cadence(figures, cadence_problem(figures)))
        runner.close()
    return outcomes


class PolicyPace:
    """Adds up the cadence reports that the policy publishes at the end of each run."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._ticks = self._missed = 0
        self._run_s = self._late_p99_ms = 0.0

    @property
    def known(self) -> bool:
        """Whether a run has told its pace."""
        return self._run_s > 0.0

    def add(self, told: Mapping[str, str]) -> None:
        """Add what the policy told of the run that just ended."""
        ticks, hz = int(float(told["ticks"])), float(told["policy_hz"])
        self._ticks += ticks
        self._missed += int(float(told["missed_ticks"]))
        self._run_s += ticks / hz if hz > 0.0 else 0.0
        self._late_p99_ms = max(self._late_p99_ms, float(told["tick_to_target_p99_ms"]))

    def figures(self) -> dict[str, float]:
        """Return rate, ticks, missed ticks, and the worst run's 99 % time from tick to target."""
        return {
            "policy_hz": self._ticks / self._run_s if self._run_s > 0.0 else 0.0,
            "ticks": float(self._ticks),
            "missed_ticks": float(self._missed),
            "tick_to_target_p99_ms": self._late_p99_ms,
        }


def cadence_problem(cadence: dict[str, float]) -> str:
    """Return what is wrong with the cadence of a run; empty if nothing is."""
    for key, (low, high) in CADENCE_HZ.items():
        if not low <= cadence[key] <= high:
            return f"the cadence is broken: {key} is {cadence[key]:g}, not within {low:g}-{high:g}"
    missed = cadence["missed_ticks"] / max(cadence["ticks"] + cadence["missed_ticks"], 1.0)
    if missed > MAX_MISSED_SHARE:
        return (
            f"the cadence is broken: {missed:.1%} of the policy's ticks were missed, "
            f"the limit is {MAX_MISSED_SHARE:.0%}"
        )
    return ""
