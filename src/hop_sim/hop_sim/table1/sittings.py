"""The sittings of a long run: how long it was at work, whatever stopped it in between."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hop_core.durable_files import replace_file
from hop_core.errors import ConfigError
from hop_sim.processes import usable_cores
from hop_sim.table1.run_folder import writable

SITTINGS: Final = "sittings.json"
_BEAT_S: Final = 10.0


@dataclass(frozen=True)
class Sitting:
    """One go at a run.

    Attributes:
        began: when, UTC, ISO 8601; no two of a run began at the same time.
        cores: that it was allowed to use.
        wall_s: how long it was at work [s], up to the last beat; a pause of the process that counts
            is left out.
    """

    began: str
    cores: int
    wall_s: float


def sitting_from_now() -> Sitting:
    """Return one that begins, with no work done yet."""
    return Sitting(datetime.now(UTC).isoformat(), usable_cores(), 0.0)


@contextmanager
def at_work(out: Path, sitting: Sitting, beat_s: float = _BEAT_S) -> Iterator[None]:
    """Count what is done inside into the `sitting` of the run in the folder `out`.

    The time is written every `beat_s` [s], so a kill loses no more than that. A process that is
    paused misses its beats, and of such a gap no more than two beats are counted.

    Raises:
        ConfigError: the file of sittings is damaged.
        HopError: at the end, the folder cannot be written to.
    """
    known = {each.began: each for each in read_sittings(out)}
    before_s = known.pop(sitting.began, sitting).wall_s
    clock, ended = _Clock(before_s, 2 * beat_s), threading.Event()

    def write() -> None:
        mine = Sitting(sitting.began, sitting.cores, round(clock.read_s(), 1))
        texts = ",\n".join(json.dumps(asdict(each)) for each in [*known.values(), mine])
        replace_file(out / SITTINGS, f"[{texts}]\n".encode())

    def beat() -> None:
        while not ended.wait(beat_s):
            with suppress(OSError):  # a full disk is told by what is written for its own sake
                write()

    def end() -> None:
        ended.set()
        thread.join()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        end()
        with suppress(OSError):  # what went wrong inside is what is told
            write()
        raise
    end()
    with writable(out):
        write()


def read_sittings(out: Path) -> list[Sitting]:
    """Return the sittings of the run in the folder `out`; of an older run, none.

    Raises:
        ConfigError: their file is damaged.
    """
    file = out / SITTINGS
    if not file.exists():
        return []
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(kept, list):
            raise TypeError("not a list")
        return [Sitting(str(e["began"]), int(e["cores"]), float(e["wall_s"])) for e in kept]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file} is damaged; remove it, and the run's wall time is counted from now on"
        ) from error


class _Clock:
    """Adds up the time between readings, of each gap at most so much."""

    def __init__(self, total_s: float, most_s: float) -> None:
        self._total_s, self._most_s, self._last_s = total_s, most_s, time.monotonic()

    def read_s(self) -> float:
        """Return the time so far [s]."""
        now_s = time.monotonic()
        self._total_s += min(now_s - self._last_s, self._most_s)
        self._last_s = now_s
        return self._total_s
