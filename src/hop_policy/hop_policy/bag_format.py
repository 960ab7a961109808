"""The bag format: rosbag2 as Jazzy writes it, MCAP with zstd chunks, and the QoS of its topics."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

_METADATA_VERSION: Literal[9] = 9  # what rosbag2 of Jazzy writes itself
# rmw's RMW_DURATION_INFINITE as rosbag2 stores it.
_INFINITE = QosTime(9223372036, 854775807)


def new_bag(path: Path) -> Writer:
    """Return the writer, not yet opened, of a bag in the folder `path`, which must not exist."""
    writer = Writer(path, version=_METADATA_VERSION, storage_plugin=StoragePlugin.MCAP)
    # Chunks that describe their compression themselves: every rosbag2 reads them without a plugin.
    writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    return writer


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
