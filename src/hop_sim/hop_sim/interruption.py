"""What stopped the robot first, however short it was."""

from __future__ import annotations

from hop_core.state import HopState
from hop_core.state_report import StateReport


class FirstInterruption:
    """Remembers the first report that the robot was neither armed nor active.

    Attributes:
        report: the first since the last `forget`; None: it was never interrupted.
    """

    def __init__(self) -> None:
        """Remember none."""
        self.report: StateReport | None = None

    def add(self, report: StateReport) -> None:
        """Take a report of any component; the supervisor's count."""
        moving = report.state in (HopState.ARMED, HopState.ACTIVE)
        if report.component == "supervisor" and not moving and self.report is None:
            self.report = report

    def forget(self) -> None:
        """Look for the next one from now on."""
        self.report = None
