"""QoS profiles of the HOP graph: one per role, so that both ends of a topic always match."""

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def reliable(depth: int = 10) -> QoSProfile:
    """Returns a reliable, volatile keep-last profile.

    Reliable also for images: best effort loses up to a fifth of them when a frame is larger than
    one shared-memory segment.
    """
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.VOLATILE,
    )


def _latched(depth: int) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


STREAM = reliable(10)
"""Publishers of state and images, and their ordinary subscribers."""
NEWEST = reliable(1)
"""Controllers: only the newest target matters."""
RECORDER = reliable(200)
"""A recorder outlives a process stall of half a second at 333 Hz."""
STATE_PUBLISHER = _latched(1)
"""/hop/state: a late joiner gets each publisher's newest state."""
STATE_SUBSCRIBER = _latched(20)
"""/hop/state: one latched message from each of up to 20 publishers."""
