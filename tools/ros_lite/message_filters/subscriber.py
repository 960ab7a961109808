"""A subscription as a filter."""

from __future__ import annotations

from typing import Any

from message_filters.simple_filter import SimpleFilter

DEFAULT_DEPTH = 10


class Subscriber(SimpleFilter):
    """Subscribes to a topic.

    Args:
        node: the rclpy node.
        args: message type and topic, then as for `Node.create_subscription`, without the callback.
        kwargs: as for `Node.create_subscription`; `qos_profile` is 10 where it is not given.
    """

    def __init__(self, node: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.node = node
        self.topic = args[1]
        kwargs.setdefault("qos_profile", DEFAULT_DEPTH)
        self.sub = node.create_subscription(*args, callback=self.callback, **kwargs)

    def callback(self, msg: Any) -> None:
        """Pass a message on."""
        self.signalMessage(msg)

    def getTopic(self) -> str:
        """Return the topic's name."""
        return str(self.topic)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["sub"], name)
