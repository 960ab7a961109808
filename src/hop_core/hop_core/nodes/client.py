"""A node that takes part in a graph from a program that is no node itself: it calls services."""

from __future__ import annotations

import threading
from typing import Any

import rclpy
from rclpy.signals import SignalHandlerOptions
from std_srvs.srv import SetBool, Trigger

from hop_core.closing import Closing
from hop_core.errors import DeviceError, HopError
from hop_core.nodes.runtime import make_executor

_SPIN_S = 0.1
_DISCOVERY_S = 20.0
_ANSWER_S = 5.0


class NodeClient(Closing):
    """Use as a context manager; its executor runs in a thread of its own.

    Attributes:
        node: the node.
        failure: what is raised when nobody answers.
    """

    failure: type[HopError] = DeviceError

    def __init__(self, name: str, domain: int | None = None) -> None:
        """Join the graph of a ROS domain; None: the environment's."""
        self._context = rclpy.Context()
        rclpy.init(
            context=self._context, signal_handler_options=SignalHandlerOptions.NO, domain_id=domain
        )
        self.node = rclpy.create_node(name, context=self._context)
        self._clients: dict[str, Any] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._spin, name=name, daemon=True)

    def start(self) -> None:
        """Begin to receive; the last thing that a subclass does when it is made."""
        self._thread.start()

    def close(self) -> None:
        """Leave the graph."""
        if self._stop.is_set():
            return
        self._stop.set()
        if self._thread.is_alive():
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

    def trigger(self, service: str) -> str:
        """Call a Trigger service; return its message.

        Raises:
            HopError: nobody serves it, it does not answer, or it refuses; see `failure`.
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
            raise self.failure(f"nobody serves {service}; is its node running?")
        response = self.answer(client.call_async(request), service)
        if not response.success:
            raise self.failure(f"{service} refused: {response.message}")
        return str(response.message)

    def answer(self, future: Any, who: str) -> Any:
        """Return the result of a call that is under way.

        Raises:
            HopError: `who` does not answer; see `failure`.
        """
        done = threading.Event()
        future.add_done_callback(lambda _future: done.set())
        if not done.wait(_ANSWER_S):
            raise self.failure(f"{who} does not answer; is its node alive?")
        return future.result()
