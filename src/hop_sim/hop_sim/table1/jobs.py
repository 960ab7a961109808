"""Jobs of a long run: commands of `hop` that are done once, side by side where they may be."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from hop_core.cli import INTERRUPTED, VERB_GROUP, run_verb
from hop_core.durable_files import replace_file
from hop_core.errors import ConfigError, HopError
from hop_sim.processes import over_processes

RECORDS = "jobs"
LOGS = "logs"


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: path-like and unique, such as "finetune/grasp_lift/scratch".
        argv: the command, without "hop".
        begun: exists once the command has got somewhere; None: the command goes on by itself.
        again: the command that then goes on where it was.
        settings: hash of the configuration that decides beside the command; empty: none does.
        aside: more words, of how quickly it is done, not of what: they may change.
    """

    name: str
    argv: tuple[str, ...]
    begun: Path | None = None
    again: tuple[str, ...] = ()
    settings: str = ""
    aside: tuple[str, ...] = ()


def command(*words: object) -> tuple[str, ...]:
    """Return a command line, each word as text."""
    return tuple(str(word) for word in words)


@dataclass(frozen=True)
class Record:
    """What is known of a job that is done.

    Attributes:
        name, argv, settings: the job's.
        wall_s: time of its last command [s].
    """

    name: str
    argv: tuple[str, ...]
    settings: str
    wall_s: float


class JobRunner:
    """Runs jobs, each once: what is done has a record in the folder `out`.

    Attributes:
        ended: how many jobs have been done, now or before.
    """

    def __init__(self, out: Path, at_once: int, told: Callable[[str], None]) -> None:
        """Run up to `at_once` jobs side by side; `told` is given a line for each that ends."""
        self._out, self._at_once, self._told = out, at_once, told
        self.ended = 0

    def run(self, jobs: Sequence[Job]) -> None:
        """Do those of `jobs` that are not done; they do not wait for each other.

        Raises:
            ConfigError: a job of the same name was done by another command or configuration.
            HopError: a job failed; its log is named.
        """
        waiting = [job for job in jobs if not self._is_done(job)]
        self.ended += len(jobs) - len(waiting)
        work = partial(_worker, self._out)
        for record in over_processes(work, waiting, min(self._at_once, len(waiting))):
            self.ended += 1
            self._told(f"{record.name}: {record.wall_s / 60:.1f} min")

    def _is_done(self, job: Job) -> bool:
        if not _record_file(self._out, job.name).exists():
            return False
        record = _read_record(self._out, job.name)
        if (record.argv, record.settings) != (job.argv, job.settings):
            other = "another command" if record.argv != job.argv else "another configuration"
            raise ConfigError(
                f"{self._out}: '{job.name}' was done by {other} (hop {' '.join(record.argv)}); go "
                "on with the configuration that began the run, or choose another --out"
            )
        return True


def read_records(out: Path) -> list[Record]:
    """Return the records of all jobs that are done in the folder `out`, by name.

    Raises:
        ConfigError: one is damaged.
    """
    folder = out / RECORDS
    files = sorted(folder.rglob("*.json"))
    return [_read_record(out, str(file.relative_to(folder).with_suffix(""))) for file in files]


def _record_file(out: Path, name: str) -> Path:
    return out / RECORDS / f"{name}.json"


def _read_record(out: Path, name: str) -> Record:
    file = _record_file(out, name)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        argv, settings = tuple(values["argv"]), str(values["settings"])
        return Record(values["name"], argv, settings, float(values["wall_s"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is damaged; remove it, and the job is done anew") from error


def _worker(out: Path) -> Callable[[Job], Record]:
    return partial(_do, out)


def _do(out: Path, job: Job) -> Record:
    log = out / LOGS / f"{job.name}.log"
    with _writable(out):
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = log.open("a", encoding="utf-8", buffering=1)
    goes_on = job.begun is not None and job.begun.exists()
    argv = [*(job.again if goes_on else job.argv), *job.aside]
    started = time.monotonic()
    with stream:
        print(f"$ hop {' '.join(argv)}", file=stream)
        with redirect_stdout(stream), redirect_stderr(stream):
            code = run_verb(VERB_GROUP, "hop", argv)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1]
        raise HopError(f"'{job.name}' failed (exit code {code}): {last}; its log is {log}")
    record = Record(job.name, job.argv, job.settings, round(time.monotonic() - started, 1))
    file = _record_file(out, job.name)
    with _writable(out):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, (json.dumps(asdict(record)) + "\n").encode())
    return record


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    """Say in a sentence that the folder of a run takes no files."""
    try:
        yield
    except OSError as error:
        raise HopError(
            f"{out}: cannot be written to: {error.strerror}; make room or choose another --out"
        ) from error
