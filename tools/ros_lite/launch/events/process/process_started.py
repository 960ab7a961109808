"""Start of a process."""

from launch.events.process.running_process_event import RunningProcessEvent


class ProcessStarted(RunningProcessEvent):
    """A process was started."""

    name = "launch.events.process.ProcessStarted"
