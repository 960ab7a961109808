"""An episode on the running graph: what interrupted it decides, also where the task was done."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hop_core import topics
from hop_core.errors import TwinError
from hop_core.robot_config import load_robot
from hop_core.state import HOME_REACHED, HopState, Source
from hop_core.state_report import StateReport
from hop_sim.live_runner import LiveRunner, PolicyPerformer, Recording
from hop_sim.nodes.graph_client import GraphClient
from hop_sim.realism import Realism
from hop_sim.rollout import SUCCESS, TIME_LIMIT

HOLD = StateReport("supervisor", HopState.HOLD, "no target from policy for 0.16 s")


def test_a_pace_is_that_of_the_run_that_ended() -> None:
    """The report of the end comes a little after the answer to the request to stop."""
    reports = [
        StateReport("policy", HopState.ACTIVE, progress="running"),
        StateReport("policy", HopState.IDLE, progress="stopped", extra={"policy_hz": "20"}),
    ]

    class Graph:
        def state(self, _: str) -> StateReport:
            return reports[0]

        def wait(self, what: str, holds: Callable[[], bool], _: float) -> None:
            assert not holds()
            reports.pop(0)
            if not holds():
                raise TwinError(what)

    graph: Any = Graph()
    assert PolicyPerformer(graph).pace() == {"policy_hz": "20"}
    reports[:] = [StateReport("policy", HopState.ACTIVE)] * 2
    with pytest.raises(TwinError, match="the policy's cadence report"):
        PolicyPerformer(graph).pace()


def test_a_policy_that_has_died_is_let_go_of() -> None:
    def refuse(*_: object) -> None:
        raise TwinError("the policy is not running")

    graph: Any = SimpleNamespace(set=refuse, trigger=refuse)
    PolicyPerformer(graph).end()
    with pytest.raises(TwinError):
        PolicyPerformer(graph).begin()


@pytest.mark.parametrize(
    ("interruption", "success", "timed_out", "reason"),
    [
        (None, True, False, SUCCESS),
        (None, False, True, TIME_LIMIT),
        (HOLD, True, False, f"{HopState.HOLD}: {HOLD.reason}"),
        (HOLD, False, True, f"{HopState.HOLD}: {HOLD.reason}"),
    ],
)
def test_an_interrupted_episode_is_no_success(
    interruption: StateReport | None, success: bool, timed_out: bool, reason: str
) -> None:
    cell = load_robot("twin").twin
    assert cell is not None
    graph = SimpleNamespace(interruption=SimpleNamespace(report=interruption))
    launch = SimpleNamespace(check=lambda: None)
    runner = LiveRunner(Realism(), cell, graph, launch)
    record = {"success": success, "timed_out": timed_out}
    runner._twin = SimpleNamespace(success=lambda: record)
    assert runner._watch() == (reason, record)


def test_what_a_recording_is_of_is_told_before_the_time_of_the_episode_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cell = load_robot("twin").twin
    assert cell is not None
    said: list[object] = []
    resting = StateReport("supervisor", HopState.ARMED, "", Source.NONE, progress=HOME_REACHED)
    graph: Any = SimpleNamespace(
        interruption=SimpleNamespace(report=None, forget=lambda: None),
        set_parameters=lambda node, values: said.append((node, values["seed"], values["episode"])),
        trigger=said.append,
        set=lambda *_: None,
        wait=lambda *_: None,
        report_count=lambda _: 0,
        state=lambda _: resting,
    )
    scene = {"T_base_object": np.eye(4).tolist()}
    record = {"success": True, "timed_out": False, "episode_time_s": 1.0, "rise_m": 0.2}
    twin: Any = SimpleNamespace(
        reset=lambda seed, **_: said.append("reset") or scene, success=lambda: record
    )
    launch: Any = SimpleNamespace(check=lambda: None)
    performer: Any = SimpleNamespace(begin=lambda: said.append("begin"), end=lambda: None)
    monkeypatch.setattr("hop_sim.live_runner._SETTLE_S", 0.0)
    runner = LiveRunner(Realism(), cell, graph, launch, Recording("expert"))
    runner._twin = twin
    assert runner.episode(7, performer, "expert_7").success
    assert said == [
        ("recorder_node", 7, "expert_7"),
        topics.SUPERVISOR_HOME,
        "reset",
        topics.RECORDER_START,
        "begin",
    ]


BLOCKED = "the way home is blocked by table; jog clear of it first"


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ([HOME_REACHED], ""),
        (["", HOME_REACHED], ""),
        ([BLOCKED, HOME_REACHED], ""),
        ([BLOCKED, BLOCKED], BLOCKED),
        (["", ""], "it was interrupted"),
    ],
)
def test_a_robot_that_did_not_get_home_starts_no_episode(ends: list[str], told: str) -> None:
    """A hold on the way, and a way that is blocked, end at rest too."""
    cell = load_robot("twin").twin
    assert cell is not None
    asked: list[object] = []

    def state(_: str) -> StateReport:
        progress = ends[len(asked) - 1] if asked else ""
        return StateReport("supervisor", HopState.ARMED, "", Source.NONE, progress=progress)

    def wait(_what: str, holds: Callable[[], bool], _timeout_s: float) -> None:
        assert holds()

    counts = iter(range(0, 100, 2))
    graph: Any = SimpleNamespace(
        trigger=asked.append, state=state, wait=wait, report_count=lambda _: next(counts)
    )
    launch: Any = SimpleNamespace(check=lambda: None)
    runner = LiveRunner(Realism(), cell, graph, launch)
    if told:
        with pytest.raises(TwinError, match=f"did not get home: {told}"):
            runner._go_home()
    else:
        runner._go_home()
    assert asked == [topics.SUPERVISOR_HOME] * len(ends)


def test_a_node_has_one_client_for_its_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has six services, which nobody ends before the graph's end."""
    made: list[str] = []

    class Client:
        def __init__(self, _node: object, name: str) -> None:
            made.append(name)

        def wait_for_services(self, timeout_sec: float) -> bool:
            return timeout_sec > 0.0

        def set_parameters(self, parameters: list[Any]) -> list[Any]:
            return parameters

    monkeypatch.setattr("hop_sim.nodes.graph_client.AsyncParameterClient", Client)
    answer = SimpleNamespace(results=[])
    graph: Any = SimpleNamespace(node=None, _parameters={}, answer=lambda *_: answer)
    for name in ("recorder_node", "policy_node", "recorder_node"):
        GraphClient.set_parameters(graph, name, {"seed": 1})
    assert made == ["recorder_node", "policy_node"]


def test_an_episode_that_could_not_be_saved_is_told() -> None:
    cell = load_robot("twin").twin
    assert cell is not None
    told = [StateReport("recorder", HopState.FAULT, "the disk is full", progress="failed")]
    graph: Any = SimpleNamespace(
        report_count=lambda _: 0,
        set=lambda *_: None,
        wait=lambda *_: None,
        state=lambda _: told[0],
    )
    launch: Any = SimpleNamespace(check=lambda: None)
    runner = LiveRunner(Realism(), cell, graph, launch, Recording("expert"))
    with pytest.raises(TwinError, match="the episode was not recorded: the disk is full"):
        runner._end_recording(True)
    told[0] = StateReport("recorder", HopState.IDLE, progress="saved it")
    runner._end_recording(True)
