"""A process as an action: start, respawn, end."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from launch import logging
from launch.action import Action
from launch.child_process import ChildProcess
from launch.conditions import evaluate_condition_expression
from launch.event_handlers import OnProcessExit, OnShutdown
from launch.events.process import ProcessExited, ProcessStarted
from launch.some_substitutions_type import SomeSubstitutionsType
from launch.substitutions import LaunchConfiguration
from launch.termination import Termination
from launch.utilities import perform_text

if TYPE_CHECKING:
    from launch.events import Shutdown
    from launch.launch_context import LaunchContext

OUTPUTS = ("screen", "log", "both")
_process_numbers = count(1)


@dataclass(frozen=True)
class _Invocation:
    """A process with everything substituted; a respawned one keeps it all, as upstream."""

    name: str
    cmd: list[str]
    env: dict[str, str]
    cwd: str | None
    output: str
    respawn: bool

    def write(self, is_stderr: bool, line: str) -> None:
        """Write a line of the process's output to where it belongs."""
        text = f"[{self.name}] {line}"
        if self.output != "log" or is_stderr:
            logging.launch_config.screen(text)
        if self.output != "screen":
            logging.launch_config.log(text)


def _performed(
    context: LaunchContext, values: Mapping[SomeSubstitutionsType, SomeSubstitutionsType]
) -> dict[str, str]:
    return {perform_text(context, k): perform_text(context, v) for k, v in values.items()}


class ExecuteProcess(Action):
    """Runs a process until it ends or the launch shuts down (SIGINT, then SIGTERM, then SIGKILL).

    Args:
        cmd: the parts of the command, each text or substitutions; a part is never split.
        name: in the log; default: the base name of the executable.
        cwd: working directory.
        env: the whole environment instead of the launcher's.
        additional_env: variables added to the environment.
        shell: whether a shell interprets the command.
        prefix: a command line put before the command.
        sigterm_timeout: seconds from SIGINT to SIGTERM; default: the launch configuration of the
            same name, else 5.
        sigkill_timeout: seconds from SIGTERM to SIGKILL; default likewise.
        emulate_tty: whether the process sees a terminal on stdout and stderr.
        output: `screen`, `log` (stdout to the log file only) or `both`.
        on_exit: entities to visit, or a callback, when the process ends.
        respawn: whether to start the process again when it ends.
        respawn_delay: seconds before that.
        respawn_max_retries: how often at most; negative for no limit.
        kwargs: passed to Action.
    """

    def __init__(
        self,
        *,
        cmd: Iterable[SomeSubstitutionsType],
        name: SomeSubstitutionsType | None = None,
        cwd: SomeSubstitutionsType | None = None,
        env: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        additional_env: Mapping[SomeSubstitutionsType, SomeSubstitutionsType] | None = None,
        shell: bool = False,
        prefix: SomeSubstitutionsType | None = None,
        sigterm_timeout: SomeSubstitutionsType | None = None,
        sigkill_timeout: SomeSubstitutionsType | None = None,
        emulate_tty: bool = False,
        output: SomeSubstitutionsType = "log",
        on_exit: Any = None,
        respawn: bool | SomeSubstitutionsType = False,
        respawn_delay: float | None = None,
        respawn_max_retries: int = -1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._cmd, self._prefix, self._shell = list(cmd), prefix or "", shell
        self._name, self._cwd = name, cwd
        self._env, self._additional_env = env, additional_env or {}
        self._sigterm_timeout = sigterm_timeout or LaunchConfiguration(
            "sigterm_timeout", default="5"
        )
        self._sigkill_timeout = sigkill_timeout or LaunchConfiguration(
            "sigkill_timeout", default="5"
        )
        self._emulate_tty, self._output, self._on_exit = emulate_tty, output, on_exit
        self._respawn, self._respawn_delay_s = respawn, respawn_delay or 0.0
        self._retries_left = respawn_max_retries
        self._invocation: _Invocation | None = None
        self._child: ChildProcess | None = None
        self._done: asyncio.Future[None] | None = None
        self._respawn_timer: asyncio.TimerHandle | None = None
        self._termination: Termination | None = None

    @property
    def process_details(self) -> dict[str, Any] | None:
        """Name and pid of the running process, or None."""
        if self._child is None or self._invocation is None:
            return None
        return {"name": self._invocation.name, "pid": self._child.pid}

    def get_asyncio_future(self) -> asyncio.Future[None] | None:
        """Return a future that is pending while the process runs or may run again."""
        return self._done

    def command(self, context: LaunchContext) -> list[str]:
        """Return the command's arguments; subclasses add theirs."""
        return [perform_text(context, part) for part in self._cmd]

    def execute(self, context: LaunchContext) -> None:
        """Start the process.

        Raises:
            RuntimeError: when executed a second time, or when the command cannot be started.
            ValueError: for an unknown `output`.
        """
        if context.is_shutdown:
            return
        if self._invocation is not None:
            raise RuntimeError(f"process '{self._invocation.name}' is executed a second time")
        self._invocation = invocation = self._prepare(context)
        if self._on_exit is not None:
            handler = OnProcessExit(target_action=self, on_exit=self._on_exit)
            context.register_event_handler(handler)
        context.register_event_handler(OnShutdown(on_shutdown=self._on_shutdown))
        self._start(context, invocation)
        self._done = asyncio.get_running_loop().create_future()

    def _prepare(self, context: LaunchContext) -> _Invocation:
        """Return all that depends on the context, which changes after this action."""
        output = perform_text(context, self._output)
        if output not in OUTPUTS:
            raise ValueError(f"output of a process is '{output}', expected one of {OUTPUTS}")
        cmd = [*shlex.split(perform_text(context, self._prefix)), *self.command(context)]
        name = perform_text(context, self._name) if self._name else Path(cmd[0].split()[0]).name
        base = context.environment if self._env is None else _performed(context, self._env)
        respawn = self._respawn
        return _Invocation(
            name=f"{name}-{next(_process_numbers)}",
            cmd=cmd,
            env={**base, **_performed(context, self._additional_env)},
            cwd=perform_text(context, self._cwd) if self._cwd else None,
            output=output,
            respawn=respawn
            if isinstance(respawn, bool)
            else evaluate_condition_expression(context, respawn),
        )

    def _start(self, context: LaunchContext, invocation: _Invocation) -> None:
        name = invocation.name
        try:
            self._child = ChildProcess(
                invocation.cmd,
                env=invocation.env,
                cwd=invocation.cwd,
                shell=self._shell,
                emulate_tty=self._emulate_tty,
                on_line=invocation.write,
                on_exit=lambda return_code: self._ended(context, invocation, return_code),
            )
        except OSError as error:
            raise RuntimeError(f"process '{name}' cannot be started: {error}") from error
        pid = self._child.pid
        logging.get_logger(name).info(f"process started with pid [{pid}]")
        context.emit_event(ProcessStarted(action=self, name=name, cmd=invocation.cmd, pid=pid))

    def _ended(self, context: LaunchContext, invocation: _Invocation, return_code: int) -> None:
        name, cmd = invocation.name, invocation.cmd
        pid = self._child.pid if self._child is not None else 0
        self._child = None
        if self._termination is not None:
            self._termination.cancel()
        if return_code == 0:
            logging.get_logger(name).info(f"process has finished cleanly [pid {pid}]")
        else:
            logging.get_logger(name).error(
                f"process has died [pid {pid}, exit code {return_code}, cmd '{shlex.join(cmd)}']."
            )
        context.emit_event(
            ProcessExited(action=self, name=name, cmd=cmd, pid=pid, returncode=return_code)
        )
        if invocation.respawn and not context.is_shutdown and self._retries_left != 0:
            self._retries_left -= 1
            loop = asyncio.get_running_loop()
            self._respawn_timer = loop.call_later(
                self._respawn_delay_s, self._again, context, invocation
            )
        else:
            self._finish()

    def _again(self, context: LaunchContext, invocation: _Invocation) -> None:
        if context.is_shutdown:
            self._finish()
        else:
            self._start(context, invocation)

    def _finish(self) -> None:
        if self._respawn_timer is not None:
            self._respawn_timer.cancel()
        if self._done is not None and not self._done.done():
            self._done.set_result(None)

    def _on_shutdown(self, event: Shutdown, context: LaunchContext) -> None:
        if self._child is None or self._invocation is None:  # ended, or waits for its respawn
            self._finish()
            return
        self._termination = Termination(
            self._invocation.name,
            self._child.send_signal,
            sigterm_after_s=float(perform_text(context, self._sigterm_timeout)),
            sigkill_after_s=float(perform_text(context, self._sigkill_timeout)),
        )
        sent_by_terminal = event.due_to_sigint and not context.noninteractive
        self._termination.start(send_sigint=not sent_by_terminal)
