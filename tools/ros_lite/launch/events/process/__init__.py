"""Events of processes."""

from launch.events.process.process_exited import ProcessExited
from launch.events.process.process_started import ProcessStarted
from launch.events.process.running_process_event import RunningProcessEvent

__all__ = ["ProcessExited", "ProcessStarted", "RunningProcessEvent"]
