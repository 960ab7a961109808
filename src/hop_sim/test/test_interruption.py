"""The first interruption of the robot is remembered, however short."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_sim.interruption import FirstInterruption
from hop_sim.nodes.graph_client import GraphClient


def test_the_first_interruption_is_kept_however_short() -> None:
    counts: Counter[str] = Counter()
    interruption = FirstInterruption()
    client: Any = SimpleNamespace(_report_counts=counts, interruption=interruption)
    hold, fault = (
        StateReport("supervisor", state, reason)
        for state, reason in ((HopState.HOLD, "late"), (HopState.FAULT, "later"))
    )
    for report in (
        StateReport("supervisor", HopState.ACTIVE),
        StateReport("policy", HopState.HOLD, "another's"),
        hold,
        StateReport("supervisor", HopState.ACTIVE),
        fault,
    ):
        GraphClient._on_report(client, report)
    assert interruption.report == hold
    interruption.forget()
    GraphClient._on_report(client, StateReport("supervisor", HopState.ARMED))
    assert interruption.report is None
    assert counts == {"supervisor": 5, "policy": 1}
