"""Jobs of a long run: commands of `hop` that are done once, side by side where they may be."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from hop_core.cli import INTERRUPTED, VERB_GROUP, run_verb
from hop_core.config import config_path, read_mapping, values_hash
from hop_core.durable_files import replace_file
from hop_core.errors import ConfigError, HopError
from hop_policy.source_commit import source_commit
from hop_sim.processes import over_processes
from hop_sim.table1.run_folder import locked, writable
from hop_sim.table1.sittings import at_work, sitting_from_now

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
        settings: of `settings_of`; empty: nothing decides beside the command that its outcome does
            not name itself.
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


def settings_of(*files: str) -> str:
    """Return a hash of what the configuration `files` say.

    Raises:
        ConfigError: there is none of that name, or it is no YAML mapping.
    """
    return values_hash({file: read_mapping(config_path(file)) for file in files})


@dataclass(frozen=True)
class Record:
    """What is known of a job that was begun.

    Attributes:
        name, argv, settings: the job's.
        wall_s: time of its last command [s]; None while it is not done.
        commit: of the code that did it; empty where that is not known.
    """

    name: str
    argv: tuple[str, ...]
    settings: str
    wall_s: float | None
    commit: str = ""


class JobRunner:
    """Runs jobs, each once: what was begun has a record in the folder `out`.

    Attributes:
        ended: how many jobs have been done, now or before.
    """

    def __init__(self, out: Path, at_once: int, told: Callable[[str], None]) -> None:
        """Run up to `at_once` jobs side by side; `told` is given a line for each that ends."""
        self._out, self._at_once, self._told = out, at_once, told
        self._sitting = sitting_from_now()
        self.ended = 0

    def run(self, jobs: Sequence[Job]) -> None:
        """Do those of `jobs` that are not done; they do not wait for each other.

        Raises:
            ConfigError: a job of the same name was begun by another command or configuration.
            HopError: a job failed, and its log is named; or another process runs jobs here.
        """
        with locked(self._out):
            waiting = [job for job in jobs if not self._is_done(job)]
            self.ended += len(jobs) - len(waiting)
            if waiting:
                with at_work(self._out, self._sitting):
                    self._run_waiting(waiting)

    def _run_waiting(self, jobs: Sequence[Job]) -> None:
        work = partial(_worker, self._out)
        # Sums depend on the threads: a training that is alone by chance has as many.
        workers, apart = min(self._at_once, len(jobs)), self._at_once > 1
        for name, wall_s in over_processes(work, jobs, workers, apart):
            self.ended += 1
            self._told(f"{name}: {wall_s / 60:.1f} min")

    def _is_done(self, job: Job) -> bool:
        if not _record_file(self._out, job.name).exists():
            return False
        record = _read_record(self._out, job.name)
        done = record.wall_s is not None
        if not done and job.begun is not None and not job.begun.exists():
            return False  # it got nowhere
        if (record.argv, record.settings) != (job.argv, job.settings):
            other = "another command" if record.argv != job.argv else "another configuration"
            raise ConfigError(
                f"{self._out}: '{job.name}' was begun by {other} (hop {' '.join(record.argv)}); go "
                "on with the configuration that began the run, or choose another --out"
            )
        return done


def read_records(out: Path) -> list[Record]:
    """Return the records of all jobs that were begun in the folder `out`, by name.

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
        wall_s = None if values["wall_s"] is None else float(values["wall_s"])
        return Record(values["name"], argv, settings, wall_s, str(values.get("commit", "")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file} is damaged; remove it, and the job is done anew") from error


def _write_record(out: Path, record: Record) -> None:
    file = _record_file(out, record.name)
    with writable(out):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, (json.dumps(asdict(record)) + "\n").encode())


def _worker(out: Path) -> Callable[[Job], tuple[str, float]]:
    return partial(_do, out)


def _run_logged(argv: Sequence[str]) -> int:
    """Run `hop` with `argv`; return its exit code. What nobody expected is told on stderr too."""
    try:
        return run_verb(VERB_GROUP, "hop", list(argv))
    except Exception:  # what is out of memory, say: the job and its log are to be named
        traceback.print_exc()
        return HopError.exit_code


def _do(out: Path, job: Job) -> tuple[str, float]:
    """Do a job; return its name and how long its command took [s]."""
    log = out / LOGS / f"{job.name}.log"
    with writable(out):
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = log.open("a", encoding="utf-8", buffering=1)
    goes_on = job.begun is not None and job.begun.exists()
    argv = [*(job.again if goes_on else job.argv), *job.aside]
    begun = Record(job.name, job.argv, job.settings, None, source_commit())
    _write_record(out, begun)
    started = time.monotonic()
    with stream:
        print(f"$ hop {' '.join(argv)}", file=stream)
        with redirect_stdout(stream), redirect_stderr(stream):
            code = _run_logged(argv)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        last = log.read_text(encoding="utf-8").strip().splitlines()[-1]
        raise HopError(f"'{job.name}' failed (exit code {code}): {last}; its log is {log}")
    wall_s = round(time.monotonic() - started, 1)
    _write_record(out, replace(begun, wall_s=wall_s))
    return job.name, wall_s
