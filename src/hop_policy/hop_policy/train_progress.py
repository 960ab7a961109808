"""Live progress of training: rate, share of time waiting for data, losses, time left."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hop_core.terminal import can_redraw

_SHOW_EVERY_S = 0.2


class TrainProgress:
    """A progress bar on a terminal, a line for each validation elsewhere. Use as a context."""

    def __init__(self, console: Console | None = None) -> None:
        """Writes to `console`, by default standard error."""
        self._console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[status]}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not can_redraw(self._console),
            transient=True,
        )
        self._next_s = 0.0
        self._task = self._bar.add_task("training", total=1.0, status="")

    def __enter__(self) -> TrainProgress:
        """Starts the display."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the display."""
        self._bar.stop()

    def due(self) -> bool:
        """Returns whether the bar wants another step: now and then, and on a terminal only."""
        now = time.monotonic()
        if self._bar.disable or now < self._next_s:
            return False
        self._next_s = now + _SHOW_EVERY_S
        return True

    def step(
        self, step: int, fraction: float, loss: float, rate: float, wait: float, left_s: float
    ) -> None:
        """Shows one step.

        Args:
            step: steps done.
            fraction: share of the budget used.
            loss: training loss.
            rate: windows per second.
            wait: share of time spent on preparing batches.
            left_s: time left [s].
        """
        status = (
            f"step {step}  loss {loss:.4f}  {rate:.0f} samples/s  data wait {wait:.0%}  "
            f"ETA {clock(left_s)}"
        )
        self._bar.update(self._task, completed=fraction, status=status)

    def line(self, text: str) -> None:
        """Writes a line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def clock(seconds: float) -> str:
    """Returns a duration as h:mm:ss or m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
