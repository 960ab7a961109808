"""What a client of the graph remembers of the supervisor between two looks."""

from __future__ import annotations

from collections import Counter

from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_sim.nodes.graph_client import GraphClient


def test_the_first_interruption_is_kept_however_short() -> None:
    client = object.__new__(GraphClient)  # without a graph
    client._report_counts, client.interruption = Counter(), None
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
        client._on_report(report)
    assert client.interruption == hold
    client.forget_interruption()
    client._on_report(StateReport("supervisor", HopState.ARMED))
    assert client.interruption is None
    assert client.report_count("supervisor") == 5
