"""A node that operates a running graph as a person would: services, states and figures."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient

from hop_core import topics
from hop_core.errors import TwinError
from hop_core.nodes.client import NodeClient
from hop_core.nodes.qos import reliable
from hop_core.nodes.runtime import to_ns
from hop_core.nodes.state_io import StateListener
from hop_core.state_report import StateReport
from hop_sim.interruption import FirstInterruption
from hop_sim.live_figures import STAMP_KEY

_POLL_S = 0.02
_DISCOVERY_S = 20.0


class GraphClient(NodeClient):
    """Use as a context manager; its executor runs in a thread of its own.

    Attributes:
        figures: newest figures of each component on /diagnostics.
        interruption: what stopped the robot first.
    """

    failure = TwinError

    def __init__(self, name: str = "graph_client") -> None:
        """Join the graph."""
        super().__init__(name)
        self._report_counts: Counter[str] = Counter()
        self.interruption = FirstInterruption()
        self._states = StateListener(self.node, self._on_report)
        self.figures: dict[str, dict[str, str]] = {}
        self._parameters: dict[str, AsyncParameterClient] = {}  # by node: each has six services
        self._diagnostics = self.node.create_subscription(
            DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, reliable(20)
        )
        self.start()

    def _on_report(self, report: StateReport) -> None:
        self._report_counts[report.component] += 1
        self.interruption.add(report)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        stamp = {STAMP_KEY: str(to_ns(message.header.stamp) * 1e-9)}
        for status in message.status:
            values = {item.key: item.value for item in status.values}
            self.figures[status.name] = values | stamp

    def report_count(self, component: str) -> int:
        """Return how many reports of `component` have come."""
        return self._report_counts[component]

    def set_parameters(self, node_name: str, values: Mapping[str, str | int]) -> None:
        """Set parameters of another node.

        Raises:
            TwinError: the node is not there, or refuses one.
        """
        if node_name not in self._parameters:
            self._parameters[node_name] = AsyncParameterClient(self.node, node_name)
        client = self._parameters[node_name]
        if not client.wait_for_services(timeout_sec=_DISCOVERY_S):
            raise TwinError(f"the node '{node_name}' is not there; is it running?")
        future = client.set_parameters([Parameter(k, value=v) for k, v in values.items()])
        for result in self.answer(future, node_name).results:
            if not result.successful:
                raise TwinError(f"{node_name} refused a parameter: {result.reason}")

    def forget_figures(self) -> None:
        """Drop the figures held, so that those seen next are new."""
        self.figures = {}

    def state(self, component: str) -> StateReport | None:
        """Return the newest report of `component`, None before its first."""
        return self._states.get(component)

    def wait(self, what: str, holds: Callable[[], bool], timeout_s: float) -> None:
        """Return when `holds()`.

        Raises:
            TwinError: it did not within `timeout_s`; the message says `what` and the supervisor's
                state.
        """
        give_up = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > give_up:
                report = self.state("supervisor")
                now = (
                    "it has said nothing"
                    if report is None
                    else f"{report.state}: {report.reason or report.progress}"
                )
                raise TwinError(f"waited {timeout_s:.0f} s for {what}; supervisor: {now}")
            time.sleep(_POLL_S)
