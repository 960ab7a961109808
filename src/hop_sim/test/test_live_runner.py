"""An episode on the running graph: what interrupted it decides, also where the task was done."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from hop_core.errors import TwinError
from hop_core.robot_config import load_robot
from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_sim.live_runner import LiveRunner, PolicyPerformer, Recording
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
