"""Work spread over processes ends with whoever waits for it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hop_core.errors import HopError
from hop_sim.processes import over_processes


def _dawdler() -> Callable[[Path], Path]:
    return _dawdle


def _dawdle(mark: Path) -> Path:
    """Return at once where there is no other to wait for."""
    mark.touch()
    if mark.stem != "quick":
        time.sleep(60.0)
    return mark


def _threads() -> Callable[[int], tuple[int, str | None]]:
    return _told_threads


def _told_threads(_item: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


def test_a_single_worker_that_is_apart_has_the_threads_of_one_among_others() -> None:
    (alone,), (beside, _) = (
        list(over_processes(_threads, range(count), count, apart=True)) for count in (1, 2)
    )
    assert alone[0] not in (os.getpid(), beside[0])
    assert alone[1] == beside[1] == "1"
    assert next(over_processes(_threads, [0], 1))[0] == os.getpid()
    assert not list(over_processes(_threads, [], 0, apart=True))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises, also where this process was started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_for_no_work(tmp_path: Path) -> None:
    marks = [tmp_path / name for name in ("one", "two")]

    def interrupt() -> None:
        while not all(mark.exists() for mark in marks):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(over_processes(_dawdler, marks, 2))
    assert time.monotonic() - started < 30.0
    assert not multiprocessing.active_children()


def test_results_that_nobody_takes_are_not_waited_for(tmp_path: Path) -> None:
    marks = [tmp_path / name for name in ("quick", "slow", "never")]
    started = time.monotonic()
    results = over_processes(_dawdler, marks, 2)
    assert next(results) == marks[0]
    results.close()
    assert time.monotonic() - started < 30.0
    assert not multiprocessing.active_children()


def _doer() -> Callable[[Path], Path]:
    return _do


def _do(mark: Path) -> Path:
    """Begin; "last" fails once all others are begun, "slow" takes a minute."""
    mark.touch()
    if mark.stem == "slow":
        time.sleep(60.0)
    if mark.stem == "last":
        while len(list(mark.parent.iterdir())) < 4:
            time.sleep(0.05)
        time.sleep(0.5)  # what was done before is on its way
        raise HopError("it failed")
    return mark


def test_a_failure_is_told_at_once_after_what_was_done_before_it(tmp_path: Path) -> None:
    """Nobody waits for what is under way, and little more is begun."""
    marks = [tmp_path / name for name in ("a", "b", "last", "slow", *map(str, range(20)))]
    started = time.monotonic()
    results = over_processes(_doer, marks, 2)
    assert [next(results), next(results)] == marks[:2]
    with pytest.raises(HopError, match="it failed"):
        next(results)
    assert time.monotonic() - started < 30.0
    assert not multiprocessing.active_children()
    assert len(list(tmp_path.iterdir())) <= 6


def test_results_come_in_the_order_of_their_items(tmp_path: Path) -> None:
    marks = [tmp_path / str(number) for number in range(30)]
    assert list(over_processes(_doer, marks, 3)) == marks


def _dying(_item: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def _dier() -> Callable[[int], int]:
    return _dying


def _dying_once(mark: Path) -> tuple[str, int]:
    """What it did, and how often; "fatal" dies at first, when all others are done."""
    with mark.open("a") as file:
        file.write("x")
    if mark.name == "fatal" and mark.read_text() == "x":
        while len(list(mark.parent.iterdir())) < 6:
            time.sleep(0.05)
        time.sleep(0.5)  # the others' results are on their way
        os.kill(os.getpid(), signal.SIGKILL)
    return mark.name, len(mark.read_text())


def _once_dier() -> Callable[[Path], tuple[str, int]]:
    return _dying_once


def test_where_a_process_dies_others_do_what_it_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("a", "fatal", "b", "c", "d", "e")
    results = list(over_processes(_once_dier, [tmp_path / name for name in names], workers=2))
    assert results == [(name, 2 if name == "fatal" else 1) for name in names]
    assert "a process died" in caplog.text
    assert "1 of 6 pieces of work were left" in caplog.text
    assert not multiprocessing.active_children()


def test_a_process_that_dies_is_told_in_a_sentence() -> None:
    with pytest.raises(HopError, match="a process that was at work died"):
        list(over_processes(_dier, [1, 2], workers=2))
