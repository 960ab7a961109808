"""Subscriptions that are read when it suits the reader and wake no executor."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile


class PolledTopics:
    """The newest message of fast topics, for a reader that is slower than they are.

    A callback at 333 Hz costs a process 3 % of a core only to throw nine of ten messages away.
    These subscriptions belong to a node of their own that no executor knows; `take` is what an
    executor itself would call.
    """

    def __init__(self, node: Node) -> None:
        """Create the silent node beside `node`."""
        self._node = Node(
            f"{node.get_name()}_polled",
            context=node.context,
            use_global_arguments=False,
            enable_rosout=False,
            start_parameter_services=False,
        )

    def subscribe(self, kind: type, topic: str, qos: QoSProfile) -> Any:
        """Return a subscription for `take`; its depth bounds how many messages wait."""
        return self._node.create_subscription(kind, topic, _never, qos)

    @staticmethod
    def take(subscription: Any) -> Any | None:
        """Return the oldest waiting message of a subscription, None without one.

        For one thread at a time.
        """
        with subscription.handle:
            taken = subscription.handle.take_message(subscription.msg_type, subscription.raw)
        return None if taken is None else taken[0]

    def close(self) -> None:
        """End the subscriptions."""
        self._node.destroy_node()


def _never(_message: Any) -> None:
    """No executor ever runs this."""
