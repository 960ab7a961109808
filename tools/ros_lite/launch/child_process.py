"""One child process: start with a tie to the launcher's life, output by lines, end."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PR_SET_PDEATHSIG = 1
GUARDIAN_GRACE_S = 5.0
READ_SIZE = 65536

_prctl = ctypes.CDLL(None, use_errno=True).prctl


def _tie_to_launcher(launcher_pid: int) -> None:
    """In the child before exec: SIGINT when the launcher's thread dies, default signal handling.

    A launcher that was started in the background by a script ignores SIGINT, and its children would
    inherit that.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    _prctl(PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != launcher_pid:  # it died between fork and prctl
        os._exit(1)


class Guardian:
    """The process that ends what a killed launcher leaves behind (launch.guardian)."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def _start(self) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("guardian.py")
        return subprocess.Popen(
            [sys.executable, "-S", "-E", str(script), str(GUARDIAN_GRACE_S)],
            stdin=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )

    def _tell(self, line: str) -> None:
        if self._process is None:
            self._process = self._start()
        if self._process.stdin is not None:
            # Somebody may have killed it; PR_SET_PDEATHSIG is left then.
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(f"{line}\n".encode())

    def add(self, pid: int) -> None:
        """Watch over a process."""
        self._tell(f"+{pid}")

    def remove(self, pid: int) -> None:
        """Forget a process, before its pid can be used again."""
        self._tell(f"-{pid}")

    def close(self) -> None:
        """End the guardian."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
        self._process = None


guardian = Guardian()


class ChildProcess:
    """A running child; call all methods on the loop's thread, which must live as long as the child.

    Args:
        cmd: command and arguments; one string when `shell`.
        env: the whole environment.
        cwd: working directory, or None for the launcher's.
        shell: whether a shell interprets the command.
        emulate_tty: whether stdout and stderr are terminals, so that programs buffer by lines.
        on_line: called with (is_stderr, line without its end).
        on_exit: called once with the return code, after all output.

    Raises:
        OSError: when the command cannot be started.
    """

    def __init__(
        self,
        cmd: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str | None,
        shell: bool,
        emulate_tty: bool,
        on_line: Callable[[bool, str], None],
        on_exit: Callable[[int], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_line, self._on_exit = on_line, on_exit
        self._partial: dict[int, bytes] = {}
        open_pair = os.openpty if emulate_tty else os.pipe
        (out_read, out_write), (err_read, err_write) = open_pair(), open_pair()
        launcher_pid = os.getpid()
        try:
            self._process = subprocess.Popen(
                " ".join(cmd) if shell else list(cmd),
                env=dict(env),
                cwd=cwd,
                shell=shell,
                stdin=subprocess.PIPE,
                stdout=out_write,
                stderr=err_write,
                preexec_fn=lambda: _tie_to_launcher(launcher_pid),
            )
        except OSError:
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            os.close(out_write)
            os.close(err_write)
        guardian.add(self.pid)
        for fd, is_stderr in ((out_read, False), (err_read, True)):
            os.set_blocking(fd, False)
            self._partial[fd] = b""
            self._loop.add_reader(fd, self._read, fd, is_stderr)
        self._readers = {out_read: False, err_read: True}
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._ended)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; one that ended already ignores it."""
        self._process.send_signal(number)

    def _read(self, fd: int, is_stderr: bool) -> bool:
        """Pass complete lines on; return whether more may come."""
        try:
            chunk = os.read(fd, READ_SIZE)
        except BlockingIOError:
            return False
        except OSError:  # a terminal whose other side is closed
            chunk = b""
        lines = (self._partial[fd] + chunk).split(b"\n")
        self._partial[fd] = lines.pop() if chunk else b""
        for line in lines:
            if chunk or line:
                self._on_line(is_stderr, line.decode(errors="replace").rstrip("\r"))
        if not chunk:
            self._loop.remove_reader(fd)
        return bool(chunk)

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        guardian.remove(self.pid)
        return_code = self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        for fd, is_stderr in self._readers.items():
            while self._read(fd, is_stderr):
                pass
            if self._partial[fd]:  # a grandchild keeps the pipe open
                self._on_line(is_stderr, self._partial[fd].decode(errors="replace"))
            self._loop.remove_reader(fd)
            os.close(fd)
        self._on_exit(return_code)
