"""A small process that takes the torque off the hand when its driver dies.

The hand has no watchdog: when its host is killed, the last torque command stays in force. The
driver holds the writing end of a pipe; when the pipe closes without a word, this process opens the
bus itself and switches the hand off.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from hop_core.errors import DeviceError
from hop_core.realtime import Priority, make_ordinary, schedule
from hop_core.robot_config import HandConfig
from hop_drivers.can_bus import open_bus, relax

_DONE = b"done\n"
_TRIES_S, _RETRY_S = 5.0, 0.2


class HandGuard:
    """Starts the guard process, which is ended by `release`."""

    def __init__(self, config: HandConfig) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hop_drivers.hand_guard", config.model_dump_json()],
            stdin=subprocess.PIPE,
            # a Ctrl-C or a killed process group must not take the guard along
            start_new_session=True,
        )
        make_ordinary(self._process.pid)  # its start must not hold up the hand's loop

    @property
    def alive(self) -> bool:
        """Whether the process is at its post."""
        return self._process.poll() is None

    def release(self, all_is_well: bool) -> None:
        """End the guard: without touching the hand, or after it has switched that off."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            try:
                pipe.write(_DONE if all_is_well else b"")
                pipe.close()
            except BrokenPipeError:  # the guard is gone already
                pass
        try:
            self._process.wait(2.0 if all_is_well else 2.0 + _TRIES_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def main(argv: list[str]) -> int:
    """Wait for the driver's end.

    Returns 0 if nothing was to be done or the hand was switched off, else 1.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    config = HandConfig.model_validate_json(argv[0])
    schedule(Priority.HAND)  # loaded; where the driver died, something may hog the cores
    if sys.stdin.buffer.readline() == _DONE:
        return 0
    failure = switch_off(config, _TRIES_S)
    sys.stderr.write(
        f"hand guard: the driver ended and the hand could not be switched off: {failure}; switch "
        "off its supply\n"
        if failure
        else "hand guard: the driver ended; the hand was switched off\n"
    )
    return 1 if failure else 0


def switch_off(config: HandConfig, limit_s: float) -> str:
    """Switch the hand off, trying again for `limit_s`; return what was in the way, else nothing."""
    deadline = time.monotonic() + limit_s
    while True:
        try:
            bus = open_bus(config)
        except DeviceError as error:
            failure = str(error)
        else:
            relaxed = relax(bus, config, f"{config.interface} {config.channel}")
            bus.shutdown()
            if relaxed:
                return ""
            failure = "the bus took no frames"
        if time.monotonic() > deadline:
            return failure
        time.sleep(_RETRY_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
