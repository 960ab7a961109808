"""Event handlers."""

from launch.event_handlers.on_process_exit import OnProcessExit
from launch.event_handlers.on_process_start import OnProcessStart
from launch.event_handlers.on_shutdown import OnShutdown

__all__ = ["OnProcessExit", "OnProcessStart", "OnShutdown"]
