"""A node that operates a running graph as a person would: services, states and figures."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool, Trigger

from hop_core import topics
from hop_core.errors import TwinError
from hop_core.nodes.qos import reliable
from hop_core.nodes.runtime import make_executor, to_ns
from hop_core.nodes.state_io import StateListener
from hop_core.state_report import StateReport
from hop_sim.live_figures import STAMP_KEY

_SPIN_S = 0.1
_POLL_S = 0.02
_DISCOVERY_S = 20.0
_ANSWER_S = 5.0


class GraphClient:
    """Use as a context manager; its executor runs in a thread of its own."""

    def __init__(self, name: str = "graph_client") -> None:
        """Join the graph."""
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(name, context=self._context)
        self._report_counts: Counter[str] = Counter()
        self._states = StateListener(self.node, self._on_report)
        self.figures: dict[str, dict[str, str]] = {}
        self._diagnostics = self.node.create_subscription(
            DiagnosticArray, topics.DIAGNOSTICS, self._on_diagnostics, reliable(20)
        )
        self._clients: dict[str, Any] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="graph-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> GraphClient:
        """Return itself."""
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the graph."""
        self._stop.set()
        self._thread.join(2.0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def _spin(self) -> None:
        executor = make_executor(self._context)
        executor.add_node(self.node)
        while not self._stop.is_set():
            executor.spin_once(timeout_sec=_SPIN_S)
        executor.remove_node(self.node)
        executor.shutdown(timeout_sec=1.0)

    def _on_report(self, report: StateReport) -> None:
        self._report_counts[report.component] += 1

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
        client = AsyncParameterClient(self.node, node_name)
        if not client.wait_for_services(timeout_sec=_DISCOVERY_S):
            raise TwinError(f"the node '{node_name}' is not there; is it running?")
        future = client.set_parameters([Parameter(k, value=v) for k, v in values.items()])
        for result in self._answer(future, node_name).results:
            if not result.successful:
                raise TwinError(f"{node_name} refused a parameter: {result.reason}")

    def forget_figures(self) -> None:
        """Drop the figures held, so that those seen next are new."""
        self.figures = {}

    def state(self, component: str) -> StateReport | None:
        """Return the newest report of `component`, None before its first."""
        return self._states.get(component)

    def trigger(self, service: str) -> str:
        """Call a Trigger service; return its message.

        Raises:
            TwinError: nobody serves it, it does not answer, or it refuses.
        """
        return self._call(service, Trigger, Trigger.Request())

    def set(self, service: str, value: bool) -> str:
        """Call a SetBool service; return its message; errors as for `trigger`."""
        return self._call(service, SetBool, SetBool.Request(data=value))

    def _call(self, service: str, kind: Any, request: Any) -> str:
        client = self._clients.get(service)
        if client is None:
            client = self._clients[service] = self.node.create_client(kind, service)
        if not client.wait_for_service(timeout_sec=_DISCOVERY_S):
            raise TwinError(f"nobody serves {service}; is its node running?")
        response = self._answer(client.call_async(request), service)
        if not response.success:
            raise TwinError(f"{service} refused: {response.message}")
        return str(response.message)

    def _answer(self, future: Any, who: str) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _future: done.set())
        if not done.wait(_ANSWER_S):
            raise TwinError(f"{who} does not answer; is its node alive?")
        return future.result()

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
