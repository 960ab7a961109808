"""The progress of commands that run episode after episode, on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from hop_core.terminal import can_redraw

T = TypeVar("T")
_LINE_EVERY_S = 30.0


def watched(
    episodes: Iterable[T], name: str, total: int, console: Console | None = None
) -> list[T]:
    """Return what `episodes` yields; show how many are done and the time to go as they end.

    On a terminal that is a bar, elsewhere (a log file) a line now and then.

    Args:
        episodes: yields once an episode.
        name: what the display calls them.
        total: how many there will be.
        console: where to show it; default: stderr.
    """
    console = console or Console(stderr=True)
    if not can_redraw(console):
        return list(_with_lines(episodes, name, total, console))
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=console) as progress:
        return list(progress.track(episodes, total, description=name))


def _with_lines(episodes: Iterable[T], name: str, total: int, console: Console) -> Iterator[T]:
    started = shown = time.monotonic()
    for done, episode in enumerate(episodes, start=1):
        now = time.monotonic()
        if now - shown >= _LINE_EVERY_S or done == total:
            shown = now
            per_episode_s = (now - started) / done
            left_s = per_episode_s * (total - done)
            console.print(
                f"{name}: {done} of {total}, {per_episode_s:.1f} s each, {left_s:.0f} s to go",
                highlight=False,
                soft_wrap=True,
            )
        yield episode
