"""Evaluation through the ROS graph of the twin: real drivers, real protocols, real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hop_core import topics
from hop_core.errors import TwinError
from hop_core.robot_config import TwinConfig
from hop_core.state import HopState, Source
from hop_sim.live_figures import Counters, rates_between, read_counters
from hop_sim.live_launch import LiveLaunch
from hop_sim.rollout import CellSpec, Outcome
from hop_sim.twin_client import TwinClient

if TYPE_CHECKING:
    from hop_sim.nodes.graph_client import GraphClient

_READY_S = 60.0
_HOME_S = 30.0
_SETTLE_S = 0.4
_POLL_S = 0.05
MAX_MISSED_SHARE = 0.02
"""Share of missed policy ticks above which `hop eval --live` says that the cadence is broken."""
CADENCE_HZ = {"policy_hz": (19.5, 20.5), "arm_hz": (117.0, 123.0), "hand_hz": (320.0, 340.0)}
"""Rates outside which it says so too."""


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


@dataclass(frozen=True)
class LiveRun:
    """What came of it.

    Attributes:
        outcomes: one an episode.
        cadence: figures of policy, arm and hand over the whole run.
        cadence_problem: what is wrong with them; empty if nothing is.
    """

    outcomes: list[Outcome]
    cadence: dict[str, float]
    cadence_problem: str


def evaluate_live(
    options: LiveOptions, seeds: Sequence[int], on_outcome: Callable[[Outcome], None]
) -> LiveRun:
    """Start the graph, arm, let the policy do the episodes of `seeds`, end the graph.

    Raises:
        TwinError: the graph does not come up, or stops answering.
    """
    from hop_sim.nodes.graph_client import GraphClient  # ROS is needed from here on only

    robot = options.cell.load_robot()
    if robot.twin is None:
        raise TwinError(f"the cell '{robot.name}' has no twin; live evaluation is for the twin")
    launch = LiveLaunch(
        policy=str(options.checkpoint.resolve()),
        task=options.cell.task,
        auto_arm="false",
        auto_start="false",
        config_dir=options.cell.config_dir or "",
    )
    with launch, GraphClient("live_eval") as graph:
        runner = LiveRunner(options, robot.twin, graph, launch)
        runner.bring_up()
        outcomes = []
        for seed in seeds:
            launch.check()
            outcomes.append(runner.episode(seed))
            on_outcome(outcomes[-1])
        cadence = runner.cadence()
        runner.close()
    return LiveRun(outcomes, cadence, cadence_problem(cadence))


class LiveRunner:
    """Does episodes on a running graph."""

    def __init__(
        self, options: LiveOptions, cell: TwinConfig, graph: GraphClient, launch: LiveLaunch
    ) -> None:
        """Bind the graph."""
        self._options = options
        self._cell = cell
        self._graph = graph
        self._launch = launch
        self._twin: TwinClient | None = None
        self._ticks = self._missed = 0
        self._run_s = 0.0
        self._late_p99_ms = 0.0
        self._counters: Counters | None = None

    def bring_up(self) -> None:
        """Wait until everything is there."""
        give_up = time.monotonic() + _READY_S
        while self._twin is None:
            self._launch.check()
            with suppress(TwinError):
                self._twin = TwinClient(self._cell.address, self._cell.control_port)
            if time.monotonic() > give_up:
                raise TwinError(
                    f"the twin did not come up within {_READY_S:.0f} s:\n{self._launch.tail()}"
                )
            time.sleep(_POLL_S)
        self._await(lambda: self._in(HopState.IDLE, HopState.ARMED), "all devices", _READY_S)
        self._await(lambda: self._graph.state("policy") is not None, "the policy", _READY_S)
        self._counters = self.read_counters()

    def _await(self, holds: Callable[[], bool], what: str, timeout_s: float) -> None:
        def checked() -> bool:
            self._launch.check()
            return holds()

        self._graph.wait(what, checked, timeout_s)

    def _in(self, *states: HopState) -> bool:
        report = self._graph.state("supervisor")
        return report is not None and report.state in states

    def episode(self, seed: int) -> Outcome:
        """Run the episode of `seed`: home, new scene, policy until success, time limit or stop."""
        graph = self._graph
        scene = self.prepare(seed)
        if self._options.record:
            graph.trigger(topics.RECORDER_START)
        graph.trigger(topics.POLICY_START)
        graph.set(topics.SUPERVISOR_POLICY, True)
        reason, record = self._watch()
        with suppress(TwinError):  # a policy that a fault has stopped is released already
            graph.set(topics.SUPERVISOR_POLICY, False)
        graph.trigger(topics.POLICY_STOP)
        if self._options.record:
            graph.set(topics.RECORDER_STOP, reason == "success")
        (_, _, _, x), (_, _, _, y), *_ = scene["T_base_object"]
        time_s, rise_m = record["episode_time_s"], record["rise_m"]
        return Outcome(
            seed, reason == "success", time_s, self._add_cadence(), rise_m, reason, (x, y)
        )

    def prepare(self, seed: int) -> dict[str, Any]:
        """Arm if need be, go home and lay out the scene of `seed`; return what the twin drew."""
        twin = self._connected()
        self._go_home()
        realism = self._options.cell.realism
        scene = twin.reset(
            seed,
            camera_jitter=realism.jitter,
            camera_shift_m=realism.shift_m,
            noise_scale=realism.noise * self._cell.depth_noise_scale,
        )
        time.sleep(_SETTLE_S)
        return scene

    def _connected(self) -> TwinClient:
        if self._twin is None:
            raise TwinError("the twin is not connected; call bring_up first")
        return self._twin

    def _go_home(self) -> None:
        graph = self._graph
        if self._in(HopState.FAULT):
            graph.trigger(topics.SUPERVISOR_RECOVER)
            self._await(lambda: self._in(HopState.IDLE), "recovery from a fault", _READY_S)
        if self._in(HopState.DISCONNECTED):
            self._await(lambda: self._in(HopState.IDLE), "the devices", _READY_S)
        if self._in(HopState.IDLE):
            graph.trigger(topics.SUPERVISOR_ARM)
            self._await(lambda: self._in(HopState.ARMED), "arming", _HOME_S)
        graph.trigger(topics.SUPERVISOR_HOME)
        self._await(self._at_home, "the way home", _HOME_S)

    def _at_home(self) -> bool:
        report = self._graph.state("supervisor")
        return (
            report is not None and report.state is HopState.ARMED and report.source == Source.NONE
        )

    def _watch(self) -> tuple[str, dict[str, Any]]:
        """Return why the episode ended and the task's record."""
        twin = self._connected()
        while True:
            self._launch.check()
            record = twin.success()
            if record["success"]:
                return "success", record
            if record["timed_out"]:
                return "time limit", record
            report = self._graph.state("supervisor")
            if report is not None and report.state not in (HopState.ARMED, HopState.ACTIVE):
                return f"{report.state}: {report.reason}", record
            time.sleep(_POLL_S)

    def _add_cadence(self) -> int:
        """Add the figures of the run that just ended; return its ticks."""
        report = self._graph.state("policy")
        if report is None or "ticks" not in report.extra:
            return 0
        ticks = int(float(report.extra["ticks"]))
        self._ticks += ticks
        self._missed += int(float(report.extra["missed_ticks"]))
        self._run_s += ticks / max(float(report.extra["policy_hz"]), 1e-9)
        self._late_p99_ms = max(self._late_p99_ms, float(report.extra["tick_to_target_p99_ms"]))
        return ticks

    def cadence(self) -> dict[str, float]:
        """Return the rates of the whole run."""
        figures = {
            "policy_hz": self._ticks / max(self._run_s, 1e-9),
            "ticks": float(self._ticks),
            "missed_ticks": float(self._missed),
            "tick_to_target_p99_ms": self._late_p99_ms,
        }
        if self._counters is not None:
            figures |= rates_between(self._counters, self.read_counters())
        return {key: round(value, 3) for key, value in figures.items()}

    def read_counters(self) -> Counters:
        """Return the drivers' counters; /diagnostics comes once a second, so wait for the next."""
        self._graph.forget_figures()
        self._await(lambda: len(self._graph.figures) >= 4, "figures on /diagnostics", _READY_S)
        return read_counters(self._graph.figures, time.monotonic())

    def close(self) -> None:
        """Disarm and let go of the twin."""
        self._graph.trigger(topics.SUPERVISOR_DISARM)
        self._connected().close()


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
