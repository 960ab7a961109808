"""The first interruption of the robot is remembered, however short."""

from __future__ import annotations

from hop_core.state import HopState
from hop_core.state_report import StateReport
from hop_sim.interruption import FirstInterruption


def test_the_first_interruption_is_kept_however_short() -> None:
    interruption = FirstInterruption()
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
        interruption.add(report)
    assert interruption.report == hold
    interruption.forget()
    interruption.add(StateReport("supervisor", HopState.ARMED))
    assert interruption.report is None
