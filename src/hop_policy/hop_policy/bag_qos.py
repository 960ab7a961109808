"""The two QoS profiles that recorded topics are offered with, as rosbag2 metadata wants them."""

from __future__ import annotations

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)

# rmw's RMW_DURATION_INFINITE as rosbag2 stores it.
_INFINITE = QosTime(9223372036, 854775807)


def qos_profile(latched: bool) -> Qos:
    """Return a reliable profile: the last 1, transient local, if `latched`, else 10, volatile."""
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if latched else 10,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=_INFINITE,
        lifespan=_INFINITE,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_INFINITE,
        avoid_ros_namespace_conventions=False,
    )
