"""Episodes on a running graph: home, new scene, somebody acts until success, limit or stop."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hop_core import topics
from hop_core.errors import TwinError
from hop_core.robot_config import TwinConfig
from hop_core.state import HOME_REACHED, HopState, Source
from hop_policy.episode_info import Source as EpisodeSource
from hop_sim.live_figures import FIGURE_SOURCES, Counters, read_counters
from hop_sim.live_launch import LiveLaunch
from hop_sim.motion_record import Motion
from hop_sim.realism import Realism
from hop_sim.rollout import SUCCESS, TIME_LIMIT, Outcome
from hop_sim.twin_client import TwinClient

if TYPE_CHECKING:
    from hop_sim.nodes.graph_client import GraphClient
    from hop_sim.nodes.motion_watch import MotionWatch

_READY_S = 60.0
_HOME_S = 30.0
_HOME_TRIES = 2  # a hold on the way, as of a machine that stalled, ends it
_ARM_S = 10.0
_SETTLE_S = 0.4
_POLL_S = 0.05
_BAG_S = 20.0
_PACE_S = 5.0


class Performer(Protocol):
    """Acts in an episode."""

    def begin(self) -> None:
        """Start to act and take the robot."""

    def end(self) -> None:
        """Let go of the robot and stop."""


@dataclass(frozen=True)
class Recording:
    """How episodes are recorded.

    Attributes:
        source: who moves the robot.
        root: folder of all episodes; None: recorder.yaml's.
        keep_failures: keep failed episodes too; else they are labelled discarded.
        facts: further ones, kept with each episode.
    """

    source: EpisodeSource
    root: Path | None = None
    keep_failures: bool = True
    facts: Mapping[str, str] = field(default_factory=dict)


class PolicyPerformer:
    """The graph's own policy node."""

    def __init__(self, graph: GraphClient) -> None:
        """Act through `graph`."""
        self._graph = graph

    def begin(self) -> None:
        """Start the policy with an empty history and give it the robot."""
        self._graph.trigger(topics.POLICY_START)
        self._graph.set(topics.SUPERVISOR_POLICY, True)

    def end(self) -> None:
        """Take the robot from the policy and stop it."""
        with suppress(TwinError):  # a fault has taken it already
            self._graph.set(topics.SUPERVISOR_POLICY, False)
        with suppress(TwinError):  # its loop has died already, and `pace` tells what it told
            self._graph.trigger(topics.POLICY_STOP)

    def pace(self) -> Mapping[str, str]:
        """Return the figures of the cadence of the run that was just ended (`CadenceReport`).

        Raises:
            TwinError: the policy does not tell them.
        """
        self._graph.wait("the policy's cadence report", lambda: bool(self._told()), _PACE_S)
        return self._told()

    def _told(self) -> Mapping[str, str]:
        """Return the figures of the newest report: of a run that goes on it has none."""
        report = self._graph.state("policy")
        return report.extra if report is not None else {}


class LiveRunner:
    """Does episodes on a running graph, one after the other."""

    def __init__(
        self,
        realism: Realism,
        cell: TwinConfig,
        graph: GraphClient,
        launch: LiveLaunch,
        recording: Recording | None = None,
        motion: MotionWatch | None = None,
    ) -> None:
        """Bind the graph.

        Args:
            realism: of the camera, drawn anew with every scene.
            cell: where the twin is.
            graph: client of the running graph.
            launch: what runs it.
            recording: how episodes are recorded; None: not.
            motion: listens to the targets; without it outcomes have none.
        """
        self._realism = realism
        self._cell = cell
        self._graph = graph
        self._launch = launch
        self._recording = recording
        self._motion = motion
        self._twin: TwinClient | None = None

    @property
    def twin(self) -> TwinClient:
        """The twin's control channel."""
        if self._twin is None:
            raise TwinError("the twin is not connected; call bring_up first")
        return self._twin

    def bring_up(self, *components: str) -> None:
        """Wait until the devices, and the `components` beside them, are there."""
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
        for component in components:
            self._await(partial(self._has_reported, component), component, _READY_S)

    def _has_reported(self, component: str) -> bool:
        return self._graph.state(component) is not None

    def episode(self, seed: int, performer: Performer, name: str = "") -> Outcome:
        """Run the episode of `seed`; its recording is called `name`, or after the time."""
        self._name_recording(seed, name)  # before the reset, from which on the episode's time runs
        scene = self.prepare(seed)
        self._start_recording()
        if self._motion is not None:
            self._motion.begin()
        self._graph.interruption.forget()
        performer.begin()
        reason, record = self._watch()
        performer.end()
        motion = Motion() if self._motion is None else self._motion.motion()
        success = reason == SUCCESS
        self._end_recording(success)
        (_, _, _, x), (_, _, _, y), *_ = scene["T_base_object"]
        time_s, rise_m = record["episode_time_s"], record["rise_m"]
        return Outcome(seed, success, time_s, rise_m, reason, (x, y), motion)

    def prepare(self, seed: int) -> dict[str, Any]:
        """Arm if need be, go home and lay out the scene of `seed`; return what the twin drew."""
        self._go_home()
        scene = self.twin.reset(
            seed,
            camera_jitter=self._realism.jitter,
            camera_shift_m=self._realism.shift_m,
            noise_scale=self._realism.noise * self._cell.depth_noise_scale,
        )
        time.sleep(_SETTLE_S)
        return scene

    def read_counters(self) -> Counters:
        """Return the drivers' counters; /diagnostics comes once a second, so wait for the next."""
        graph = self._graph
        graph.forget_figures()
        complete = lambda: all(name in graph.figures for name in FIGURE_SOURCES)  # noqa: E731
        self._await(complete, "figures on /diagnostics", _READY_S)
        return read_counters(graph.figures)

    def close(self) -> None:
        """Disarm and let go of the twin."""
        self._graph.trigger(topics.SUPERVISOR_DISARM)
        self.twin.close()

    def _await(self, holds: Callable[[], bool], what: str, timeout_s: float) -> None:
        def checked() -> bool:
            self._launch.check()
            return holds()

        self._graph.wait(what, checked, timeout_s)

    def _in(self, *states: HopState) -> bool:
        report = self._graph.state("supervisor")
        return report is not None and report.state in states

    def _go_home(self) -> None:
        graph = self._graph
        if self._in(HopState.FAULT):
            graph.trigger(topics.SUPERVISOR_RECOVER)
            self._await(lambda: self._in(HopState.IDLE), "recovery from a fault", _READY_S)
        if self._in(HopState.DISCONNECTED):
            self._await(lambda: self._in(HopState.IDLE), "the devices", _READY_S)
        if self._in(HopState.IDLE):
            self._arm()
        for _ in range(_HOME_TRIES):
            seen = graph.report_count("supervisor")
            graph.trigger(topics.SUPERVISOR_HOME)
            self._await(partial(self._rests_again, seen), "the way home", _HOME_S)
            report = graph.state("supervisor")
            if report is not None and report.progress == HOME_REACHED:
                return
        told = report and (report.progress or report.reason)
        raise TwinError(f"the robot did not get home: {told or 'it was interrupted'}")

    def _arm(self) -> None:
        """Arm as soon as the supervisor lets; it wants every stream fresh for a while before."""
        give_up = time.monotonic() + _ARM_S
        while True:
            try:
                self._graph.trigger(topics.SUPERVISOR_ARM)
                break
            except TwinError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(_POLL_S)
        self._await(lambda: self._in(HopState.ARMED), "arming", _ARM_S)

    def _rests_again(self, seen: int) -> bool:
        """Whether it went and is at rest: two reports at least since there were `seen`."""
        report = self._graph.state("supervisor")
        if report is None or self._graph.report_count("supervisor") < seen + 2:
            return False
        return report.state is HopState.ARMED and report.source == Source.NONE

    def _watch(self) -> tuple[str, dict[str, Any]]:
        """Return why the episode ended and the task's record; an interruption is a failure."""
        while True:
            self._launch.check()
            record = self.twin.success()
            if (stopped := self._graph.interruption.report) is not None:
                return f"{stopped.state}: {stopped.reason}", record
            if record["success"]:
                return SUCCESS, record
            if record["timed_out"]:
                return TIME_LIMIT, record
            time.sleep(_POLL_S)

    def _name_recording(self, seed: int, name: str) -> None:
        """Tell the recorder what the next episode is."""
        recording = self._recording
        if recording is None:
            return
        root = "" if recording.root is None else str(recording.root)
        values: dict[str, str | int] = {
            "seed": seed,
            "episode": name,
            "source": recording.source,
            "root": root,
            "facts": json.dumps(dict(recording.facts)),
        }
        self._graph.set_parameters("recorder_node", values)

    def _start_recording(self) -> None:
        if self._recording is not None:
            self._graph.trigger(topics.RECORDER_START)

    def _end_recording(self, success: bool) -> None:
        recording = self._recording
        if recording is None:
            return
        seen = self._graph.report_count("recorder")
        if success or recording.keep_failures:
            self._graph.set(topics.RECORDER_STOP, success)
        else:
            self._graph.trigger(topics.RECORDER_DISCARD)
        self._await(lambda: self._graph.report_count("recorder") > seen, "the bag", _BAG_S)
        told = self._graph.state("recorder")
        if told is not None and told.state is HopState.FAULT:
            raise TwinError(f"the episode was not recorded: {told.reason}")
