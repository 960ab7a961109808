"""Stand-in for ROS 2 `message_filters`, used only where the real package is missing.

Messages flow from filters to callbacks; stamps are compared in integer nanoseconds.
"""

from message_filters.cache import Cache
from message_filters.simple_filter import SimpleFilter
from message_filters.subscriber import Subscriber
from message_filters.synchronizers import ApproximateTimeSynchronizer, TimeSynchronizer

__all__ = [
    "ApproximateTimeSynchronizer",
    "Cache",
    "SimpleFilter",
    "Subscriber",
    "TimeSynchronizer",
]
