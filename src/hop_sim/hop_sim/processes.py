"""One piece of work after another, spread over the cores of this machine."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar, cast

from hop_core.errors import HopError
from hop_core.parent_process import exit_with_parent

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_AHEAD = 2
"""Items handed out for each worker: none stands idle while the last results are dealt with."""
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

    Whoever is interrupted, or takes no more results, waits for none: the processes are ended. What
    a piece of work raises ends them too and is told at once, after the results that are there, up
    to the first that is not. Where a process dies, as software rendering has been seen to after an
    hour, others do what it left, and a warning is logged; where there was no new result since the
    last death, another would not help.

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
    with ProcessPoolExecutor(workers, context, _start_worker, (make,)) as pool:
        left = deque(i for i in waiting if i not in kept)
        work: dict[int, Future[object]] = {}
        mine: set[BaseProcess] = set()
        try:
            while waiting:
                failure = _keep_done(work, kept)
                if not failure:
                    mine |= _hand_out(pool, items, left, work, _AHEAD * workers)
                if waiting[0] in kept:
                    yield kept.pop(waiting.pop(0))
                elif failure:
                    raise failure
                else:
                    wait(work.values(), return_when=FIRST_COMPLETED)
        except BrokenProcessPool:
            _keep_done(work, kept)
            raise
        except BaseException:
            for process in mine:
                process.terminate()
            raise


def _hand_out(
    pool: ProcessPoolExecutor,
    items: Sequence[ItemT],
    left: deque[int],
    work: dict[int, Future[object]],
    most: int,
) -> set[BaseProcess]:
    """Begin `work` on the next items that are `left`, up to `most`; return the processes begun."""
    others = set(multiprocessing.active_children())
    while left and len(work) < most:
        work[left[0]] = pool.submit(_run_worker, items[left[0]])
        left.popleft()
    return set(multiprocessing.active_children()) - others


def _keep_done(work: dict[int, Future[object]], kept: dict[int, ResultT]) -> BaseException | None:
    """Move the results that are there from `work` to `kept`; return what one raised, if any did."""
    failure = None
    for i in [i for i, each in work.items() if each.done()]:
        if error := work[i].exception():
            failure = failure or error
        else:
            kept[i] = cast("ResultT", work.pop(i).result())
    return failure


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
