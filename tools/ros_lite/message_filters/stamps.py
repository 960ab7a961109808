"""Stamps of messages in integer nanoseconds."""

from __future__ import annotations

from typing import Any

NS_PER_S = 1_000_000_000


def stamp_ns(msg: Any) -> int | None:
    """Return the header's stamp [ns], or None for a message without a header."""
    header = getattr(msg, "header", None)
    stamp = getattr(header, "stamp", None)
    return None if stamp is None else int(stamp.sec) * NS_PER_S + int(stamp.nanosec)


def arrival_stamp() -> Any:
    """Return the ROS time now as an rclpy Time."""
    from rclpy.clock import ROSClock

    return ROSClock().now()
