"""One piece of work after another, spread over the cores of this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar, cast

from hop_core.errors import HopError
from hop_core.parent_process import exit_with_parent

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_log = logging.getLogger(__name__)
_worker: Callable[[Any], object] | None = None


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def over_processes(
    make: Callable[[], Callable[[ItemT], ResultT]],
    items: Sequence[ItemT],
    workers: int,
    apart: bool = False,
) -> Iterator[ResultT]:
    """Yield `work(item)` for each item in order, spread over processes.

    Whoever is interrupted, or takes no more results, waits for none: the processes are ended. Where
    one dies, as software rendering has been seen to after an hour, others do what it left, and a
    warning is logged; where there was no new result since the last death, another would not help.

    Raises:
        HopError: processes die before there is a result; or what a piece of work raises.

    Args:
        make: picklable; called once in each process, returns its `work`.
        items: one piece of work each.
        workers: processes, from 1 on; a single one is this one.
        apart: a single one is another, with as many threads as it has beside others: one.
    """
    if not items:
        return
    if workers <= 1 and not apart:
        yield from map(make(), items)
        return
    kept: dict[int, ResultT] = {}  # results that came before those of items before theirs
    waiting = list(range(len(items)))
    while waiting:
        before = len(waiting) - len(kept)
        try:
            yield from _in_turn(make, items, workers, waiting, kept)
        except BrokenProcessPool as error:
            if (left := len(waiting) - len(kept)) == before:
                raise HopError(
                    "a process that was at work died, for want of memory or in the graphics "
                    "driver; make room, or use fewer, and run the same command again"
                ) from error
            _log.warning(
                "a process died, for want of memory or in the graphics driver, when %d of %d "
                "pieces of work were left; going on with others",
                left,
                len(items),
            )


def _in_turn(
    make: Callable[[], Callable[[ItemT], ResultT]],
    items: Sequence[ItemT],
    workers: int,
    waiting: list[int],
    kept: dict[int, ResultT],
) -> Iterator[ResultT]:
    """Yield the results of the items numbered `waiting`, which are taken from it one by one.

    Those that are `kept` are not worked on again; where a process dies, what is done joins them.
    """
    # A worker is one core's work: threads of linear algebra beside it would only spin.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(workers, context, _start_worker, (make,)) as pool:
        work = {i: pool.submit(_run_worker, items[i]) for i in waiting if i not in kept}
        mine = set(multiprocessing.active_children()) - others  # all are started by now
        try:
            while waiting:
                first = waiting[0]
                result = kept[first] if first in kept else cast("ResultT", work[first].result())
                kept.pop(first, None)
                work.pop(first, None)
                waiting.pop(0)
                yield result
        except BrokenProcessPool:
            done = {i: each for i, each in work.items() if not each.exception()}
            kept.update((i, cast("ResultT", each.result())) for i, each in done.items())
            raise
        except (KeyboardInterrupt, GeneratorExit):
            for process in mine:
                process.terminate()
            raise
        finally:
            for each in work.values():
                each.cancel()


def _start_worker(make: Callable[[], Callable[[Any], object]]) -> None:
    global _worker
    exit_with_parent()
    try:
        _worker = make()
    except HopError as error:  # told by the first item: a failed initialiser loses its reason
        _worker = partial(_refuse, error)


def _refuse(error: HopError, _item: object) -> object:
    raise error


def _run_worker(item: object) -> object:
    if _worker is None:
        raise RuntimeError("the worker process was not initialised")
    return _worker(item)
