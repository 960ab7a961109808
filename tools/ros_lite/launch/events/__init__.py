"""Events."""

from launch.events.shutdown import Shutdown

__all__ = ["Shutdown"]
