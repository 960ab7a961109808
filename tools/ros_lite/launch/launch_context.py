"""The state that entities share while they are visited."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch.event import Event
from launch.substitution import Substitution

if TYPE_CHECKING:
    from launch.event_handler import EventHandler


class Locals:
    """Values that hold only where they were set: current launch file, event being handled."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"context.locals has no '{name}' here") from None


class LaunchContext:
    """Launch configurations, environment, event handlers and pending events.

    Args:
        argv: arguments of the command that launches.
        noninteractive: whether no terminal passes Ctrl-C on to the children.
    """

    def __init__(self, *, argv: Iterable[str] | None = None, noninteractive: bool = False) -> None:
        self.argv = list(argv or [])
        self.noninteractive = noninteractive
        self.launch_configurations: dict[str, str] = {}
        self.locals = Locals()
        self.is_shutdown = False
        self.return_code = 0
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.event_handlers: list[EventHandler] = []
        self._configuration_scopes: list[dict[str, str]] = []
        self._environment_scopes: list[dict[str, str]] = []
        self._temporary: Path | None = None

    @property
    def environment(self) -> MutableMapping[str, str]:
        """The environment of this process, which the children inherit."""
        return os.environ

    def perform_substitution(self, sub: Substitution) -> str:
        """Return the string that `sub` stands for."""
        return sub.perform(self)

    def emit_event(self, event: Event) -> None:
        """Queue an event for the registered handlers; call it on the loop's thread."""
        self.events.put_nowait(event)

    def register_event_handler(self, handler: EventHandler) -> None:
        """Add a handler; the newest is asked first."""
        self.event_handlers.insert(0, handler)

    def unregister_event_handler(self, handler: EventHandler) -> None:
        """Remove a handler.

        Raises:
            ValueError: when it is not registered.
        """
        self.event_handlers.remove(handler)

    def extend_locals(self, values: Mapping[str, Any]) -> None:
        """Set values of `locals`; a value of None removes the name."""
        for name, value in values.items():
            if value is None:
                self.locals._values.pop(name, None)
            else:
                self.locals._values[name] = value

    def push_scope(self) -> None:
        """Remember launch configurations and environment."""
        self._configuration_scopes.append(dict(self.launch_configurations))
        self._environment_scopes.append(dict(self.environment))

    def pop_scope(self) -> None:
        """Restore what the latest `push_scope` remembered."""
        self.launch_configurations = self._configuration_scopes.pop()
        before = self._environment_scopes.pop()
        for name in set(self.environment) - set(before):
            del self.environment[name]
        self.environment.update(before)

    def temporary_directory(self) -> Path:
        """Return a directory that is removed when the launch ends."""
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="launch_"))
        return self._temporary

    def remove_temporary_directory(self) -> None:
        """Remove the temporary directory, if there is one."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None
