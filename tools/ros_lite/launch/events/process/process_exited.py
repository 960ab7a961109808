"""End of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.events.process.running_process_event import RunningProcessEvent

if TYPE_CHECKING:
    from launch.actions.execute_process import ExecuteProcess


class ProcessExited(RunningProcessEvent):
    """A process ended; `returncode` is negative for the signal that ended it."""

    name = "launch.events.process.ProcessExited"

    def __init__(
        self, *, action: ExecuteProcess, name: str, cmd: list[str], pid: int, returncode: int
    ) -> None:
        super().__init__(action=action, name=name, cmd=cmd, pid=pid)
        self.returncode = returncode
