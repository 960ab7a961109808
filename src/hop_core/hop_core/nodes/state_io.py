"""/hop/state and /diagnostics: publish one component's state, listen to everybody's."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from hop_core import topics
from hop_core.nodes.qos import STATE_PUBLISHER, STATE_SUBSCRIBER, reliable
from hop_core.state import HopState
from hop_core.state_report import StateReport

_LEVEL = {
    HopState.HOLD: DiagnosticStatus.WARN,
    HopState.FAULT: DiagnosticStatus.ERROR,
    HopState.ESTOP: DiagnosticStatus.ERROR,
    HopState.DISCONNECTED: DiagnosticStatus.STALE,
}
DiagnosticsSource = Callable[[], Mapping[str, object]]


def to_status(report: StateReport) -> DiagnosticStatus:
    """Returns the message form of a report."""
    return DiagnosticStatus(
        level=_LEVEL.get(report.state, DiagnosticStatus.OK),
        name=report.component,
        message=report.reason,
        hardware_id="hop",
        values=[KeyValue(key=key, value=value) for key, value in report.values().items()],
    )


class StatePublisher:
    """Publishes one component's state on change; callable from any thread."""

    def __init__(self, node: Node, component: str) -> None:
        self._publisher = node.create_publisher(DiagnosticStatus, topics.STATE, STATE_PUBLISHER)
        self._component = component
        self._lock = threading.Lock()
        self._last: StateReport | None = None

    def publish(
        self,
        state: HopState,
        reason: str = "",
        *,
        source: str = "",
        arming_id: str = "",
        progress: str = "",
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Publishes the state unless nothing changed since the last call."""
        report = StateReport(
            self._component, state, reason, source, arming_id, progress, extra or {}
        )
        with self._lock:
            if report == self._last:
                return
            self._last = report
            self._publisher.publish(to_status(report))


class StateListener:
    """Keeps the newest report of every component; safe to read from any thread."""

    def __init__(self, node: Node, on_report: Callable[[StateReport], None] | None = None) -> None:
        self._reports: dict[str, StateReport] = {}
        self._on_report = on_report
        self._node = node
        self._unreadable: set[str] = set()
        self._subscription = node.create_subscription(
            DiagnosticStatus, topics.STATE, self._receive, STATE_SUBSCRIBER
        )

    def get(self, component: str) -> StateReport | None:
        """Returns the newest report of a component, None before its first."""
        return self._reports.get(component)

    def _receive(self, message: DiagnosticStatus) -> None:
        values = {item.key: item.value for item in message.values}
        try:
            report = StateReport.from_values(message.name, values)
        except ValueError as error:
            if message.name not in self._unreadable:
                self._unreadable.add(message.name)
                self._node.get_logger().warning(f"state of '{message.name}' is ignored: {error}")
            return
        self._reports[message.name] = report
        if self._on_report is not None:
            self._on_report(report)


class DiagnosticsTimer:
    """Publishes /diagnostics at 1 Hz from named sources of key-value pairs."""

    def __init__(self, node: Node, sources: Mapping[str, DiagnosticsSource]) -> None:
        self._node = node
        self._sources = dict(sources)
        self._publisher = node.create_publisher(DiagnosticArray, topics.DIAGNOSTICS, reliable(10))
        self._timer = node.create_timer(1.0, self._publish)

    def _publish(self) -> None:
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        for name, source in self._sources.items():
            values = [KeyValue(key=key, value=_text(value)) for key, value in source().items()]
            message.status.append(
                DiagnosticStatus(
                    level=DiagnosticStatus.OK,
                    name=f"{self._node.get_name()}: {name}",
                    hardware_id="hop",
                    values=values,
                )
            )
        self._publisher.publish(message)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
