"""Base of the events of processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from launch.event import Event

if TYPE_CHECKING:
    from launch.actions.execute_process import ExecuteProcess


class RunningProcessEvent(Event):
    """Something that happened to a process."""

    name = "launch.events.process.RunningProcessEvent"

    def __init__(self, *, action: ExecuteProcess, name: str, cmd: list[str], pid: int) -> None:
        self.action = action
        self.process_name = name
        self.cmd = cmd
        self.pid = pid
